/** What each operation takes and gives, out of the generated types. */

import type { OPERATIONS } from "./operations.js";
import type { components, operations } from "./schema.js";

type Table = typeof OPERATIONS;
/** The name of an operation, e.g. `create_interview`. */
export type Name = keyof Table & keyof operations;
/** Operations that give rows, and those that make something. */
export type ListName = { [N in Name]: Table[N] extends { rows: true } ? N : never }[Name];
export type CreateName = { [N in Name]: Table[N]["effect"] extends "create" ? N : never }[Name];
/** The rows and bodies by name, e.g. `Schemas["Interview"]`. */
export type Schemas = components["schemas"];

type Json<T> = T extends { content: { "application/json": infer J } } ? J : never;
type Given<T> = [NonNullable<T>] extends [never] ? unknown : NonNullable<T>;
type Body<N extends Name> = operations[N] extends { requestBody: infer B }
  ? Table[N] extends { body: infer K extends string }
    ? { [name in K]: Json<B> }
    : Json<B>
  : unknown;
/** Arrays may be read only, too, and what may be left out may be undefined. */
type Taken<V> = V extends readonly (infer E)[] ? readonly Taken<E>[] : V extends object ? Fields<V> : V;
type Fields<T> = { [K in keyof T]: Taken<T[K]> | ({} extends Pick<T, K> ? undefined : never) };
/** Of nothing it is an object without fields, as `{}` would take any. */
type Flat<T> = [keyof T] extends [never] ? Record<string, never> : Fields<T>;

/** Path, query and body in one object, as the tools take them. */
export type Input<N extends Name> = Flat<
  Given<operations[N]["parameters"]["path"]> & Given<operations[N]["parameters"]["query"]> & Body<N>
>;
type Answer<N extends Name> = Json<operations[N]["responses"][200]>;
/** What is under `data`; of a list the rows, and the cursor that continues it, null at its end. */
export type Result<N extends Name> =
  Answer<N> extends { data: infer D } ? (N extends ListName ? { data: D; cursor: string | null } : D) : never;
export type RowOf<N extends ListName> = Result<N> extends { data: readonly (infer R)[] } ? R : never;

export interface CallOptions {
  /** Ends waiting and reads; a write that has left is waited for. */
  signal?: AbortSignal | undefined;
}
/** The arguments after the name; the input may be left out where nothing in it is needed. */
export type Arguments<N extends Name, Options = CallOptions> =
  {} extends Input<N> ? [input?: Input<N>, options?: Options] : [input: Input<N>, options?: Options];
