// What a person writes with the types that openapi-typescript makes and openapi-fetch; prints what came as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./aural.js";

declare const process: { argv: [string, string, string, string] };

const [, , baseUrl, key] = process.argv;
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

const created = await client.POST("/interviews", { body: { title: "Backend engineer", aiTone: "FRIENDLY" } });
if (!created.data) throw new Error(created.error.error.message);
const interviewId = created.data.data.id;
await client.POST("/interviews/{interviewId}/questions", {
  params: { path: { interviewId } },
  body: [{ text: "Why us?", required: false }],
});
const read = await client.GET("/interviews/{interviewId}", { params: { path: { interviewId } } });
const listed = await client.GET("/interviews", { params: { query: { limit: 5 } } });
const titles: string[] = (listed.data?.data ?? []).map((row) => row.title);
const texts: string[] = (read.data?.data.questions ?? []).map((question) => question.text);
const sessions: number | undefined = read.data?.data._count?.sessions;

const none = { path: { interviewId: "00000000-0000-4000-8000-000000000001" } };
const refused = await client.GET("/interviews/{interviewId}", { params: none });
const error: components["schemas"]["ErrorDetail"] | undefined = refused.error?.error;

type Session = components["schemas"]["Session"];
export const words = (session: Session): string[] => session.messages.map((turn) => `${turn.role}: ${turn.content}`);
export const why = (session: Session): string | undefined => session.decision?.reason;
export const unsent = () => [
  // @ts-expect-error a title is needed
  client.POST("/interviews", { body: { aiTone: "FRIENDLY" } }),
  // @ts-expect-error there is no such tone
  client.POST("/interviews", { body: { title: "T", aiTone: "LOUD" } }),
  // @ts-expect-error a page has at most so many rows, as a number
  client.GET("/interviews", { params: { query: { limit: "5" } } }),
  // @ts-expect-error there is no such address
  client.GET("/interviews/{interviewId}/meetings", { params: { path: { interviewId } } }),
];
console.log(JSON.stringify({ titles, texts, sessions, cursor: listed.data?.cursor, refused: error }));
