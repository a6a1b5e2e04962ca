import type { operations, paths, components } from "./aural";

type Body<O> = O extends { requestBody: { content: { "application/json": infer B } } } ? B : never;
type Data<O> = O extends { responses: { 200: { content: { "application/json": { data: infer D } } } } } ? D : never;

const made: Body<operations["create_interview"]> = { title: "Backend engineer", aiTone: "FRIENDLY" };
// @ts-expect-error a tone that there is not
const wrong: Body<operations["create_interview"]> = { title: "Backend engineer", aiTone: "LOUD" };
type Session = Data<operations["get_session"]>;
export const words = (session: Session): string[] => session.messages.map((turn) => `${turn.role}: ${turn.content}`);
export const titles = (rows: Data<operations["list_interviews"]>): string[] => rows.map((row) => row.title);
export type Path = keyof paths;
export const path: Path = "/interviews/{interviewId}/sessions";
export default [made, wrong];
