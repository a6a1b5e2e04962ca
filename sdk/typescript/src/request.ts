/** One call as it travels: what was given, checked and taken apart. Whatever is wrong with it is a `TypeError`. */

import { OPERATIONS } from "./operations.js";

/** How an operation travels; `operations.ts` has each. */
export interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly effect: "read" | "create" | "update" | "delete";
  readonly fields: readonly string[];
  /** The field whose value is the whole body, and what each of its rows has where nothing is said. */
  readonly body?: string;
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Whether the answer is rows or one row, and whether Aural may take half a minute over it. */
  readonly rows?: true;
  readonly row?: true;
  readonly large?: true;
  /** Whether, and of which fields, an earlier deployment knows nothing. */
  readonly newer?: true;
  readonly newerFields?: readonly string[];
}

export interface Request extends Operation {
  readonly name: string;
  /** The ids in the path. */
  readonly params: Readonly<Record<string, string>>;
  /** The query of a GET, else the body. */
  readonly payload: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The ids in the path, in its order. */
export const ids = ({ params }: Request): string[] => Object.values(params);

export function requestOf(name: string, given: Fields = {}): Request {
  if (!Object.hasOwn(OPERATIONS, name)) throw new TypeError(`There is no operation ${JSON.stringify(name)}.`);
  const operation: Operation = OPERATIONS[name as keyof typeof OPERATIONS];
  const fields = asJson(given);
  const unknown = Object.keys(fields).filter((each) => !operation.fields.includes(each));
  if (unknown.length) throw new TypeError(`${name} does not take ${unknown.join(", ")}.`);
  const params: Record<string, string> = {};
  for (const [, each = ""] of operation.path.matchAll(/\{(\w+)\}/g)) {
    params[each] = opaque(each, fields[each]);
    delete fields[each];
  }
  if ("cursor" in fields) opaque("cursor", fields["cursor"]);
  if (operation.method === "PATCH" && !Object.keys(fields).length) {
    throw new TypeError(`Nothing to change was given: name at least one field of ${name}.`);
  }
  return { ...operation, name, params, payload: operation.body ? rows(operation, fields) : fields };
}

/** What was given, as it travels, whatever the caller does with it afterwards; what JSON cannot say is refused. */
function asJson(given: Fields): Record<string, unknown> {
  const text = JSON.stringify(given, (name, value: unknown) => {
    if (typeof value !== "number" || Number.isFinite(value)) return value;
    throw new TypeError(`${name} is not a number.`);
  });
  return JSON.parse(text) as Record<string, unknown>;
}

/** Complete rows: Aural fails on several of which only some have a field. */
function rows({ body = "", defaults }: Operation, fields: Fields): unknown[] {
  const given = fields[body];
  if (!Array.isArray(given) || !given.length || !given.every(isObject)) {
    throw new TypeError(`${body} must be an array of one object or more.`);
  }
  return given.map((row) => ({ ...defaults, ...row }));
}

function opaque(name: string, id: unknown): string {
  const usable = typeof id === "string" && id && id.length <= 200 && id !== "." && id !== "..";
  if (usable && !/[\p{Cc}\p{Cs}]/u.test(id)) return id;
  throw new TypeError(`${name} is not an id: give one exactly as a list or a create returned it.`);
}
