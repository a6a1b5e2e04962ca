export { Aural, CLOUD, type Options } from "./client.js";
export * from "./errors.js";
export { insightsOf, type Evaluation, type Insights } from "./insights.js";
export type { OnceOptions, Outcome } from "./ledger.js";
export type { CallOptions, CreateName, Input, ListName, Name, Result, RowOf, Schemas } from "./types.js";
