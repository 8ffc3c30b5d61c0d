import { parse } from 'node:querystring';
import type { TSchema } from 'typebox';

/** A query before validation. Only parameters declared as lists may have several values. */
export type Query = Record<string, string | undefined>;

/** The parameters of a URL. Never throws: what is not percent-encoded well stays as it is. */
export function parseQuery(url: string): Query {
  const mark = url.indexOf('?');
  return mark === -1 ? {} : ({ ...parse(url.slice(mark + 1)) } as Query);
}

const isList = (schema: unknown): boolean => {
  const { type, anyOf } = schema as { type?: unknown; anyOf?: unknown[] };
  return type === 'array' || (anyOf?.some(isList) ?? false);
};

/** Names of the parameters that may be given several times. */
export function listParameters(schema: TSchema | undefined): ReadonlySet<string> {
  const { properties = {} } = (schema ?? {}) as { properties?: Record<string, unknown> };
  return new Set(Object.keys(properties).filter((name) => isList(properties[name])));
}

/** Of a parameter given several times that is no list, the first value counts. */
export function keepFirst(query: Query, lists: ReadonlySet<string>): void {
  for (const name in query) {
    const value: unknown = query[name];
    if (Array.isArray(value) && !lists.has(name)) query[name] = value[0] as string;
  }
}
