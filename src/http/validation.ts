import { Ajv, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';
import { MatrixError } from '../kernel/errors.ts';

const bodies = new Ajv({ strict: false, allErrors: false, validateFormats: false });
/** Everything in a query is text until its schema says otherwise. */
const queries = new Ajv({
  strict: false,
  allErrors: false,
  validateFormats: false,
  coerceTypes: 'array',
});

/** Where in the value, for people: `room.name`; empty for the whole. */
function placeOf({ instancePath }: ErrorObject): string {
  return instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
}

function describe(error: ErrorObject): string {
  const place = placeOf(error);
  const { allowedValue, allowedValues } = error.params as Record<string, unknown>;
  const allowed = allowedValue ?? allowedValues;
  const hint = allowed === undefined ? '' : `: ${JSON.stringify(allowed)}`;
  return `${place === '' ? 'it' : `'${place}'`} ${error.message ?? 'is not valid'}${hint}`;
}

function fail(validate: ValidateFunction, what: 'body' | 'query'): never {
  const error = validate.errors?.[0];
  if (!error) throw new MatrixError('M_BAD_JSON', `The ${what} is not valid`);
  if (error.keyword === 'required') {
    const { missingProperty } = error.params as { missingProperty: string };
    const place = placeOf(error);
    const name = place === '' ? missingProperty : `${place}.${missingProperty}`;
    throw new MatrixError('M_MISSING_PARAM', `Missing required key: '${name}'`);
  }
  const code = what === 'body' ? 'M_BAD_JSON' : 'M_INVALID_PARAM';
  throw new MatrixError(code, `In the ${what}, ${describe(error)}`);
}

/** What a record of anything by text is to TypeBox; names with line ends do not match it. */
const anyName = '^.*$';

/**
 * The same as it is meant: every integer in the range of canonical JSON (more fits no column either),
 * and a record's values checked whatever their names, which no pattern has to be tried on.
 */
function asMeant(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(asMeant);
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.entries(schema).map(([key, part]) => [key, asMeant(part)]);
  const same = Object.fromEntries(parts) as Record<string, unknown>;
  if (same['type'] === 'integer') {
    return { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, ...same };
  }
  const { patternProperties: byName, ...rest } = same;
  const isRecord = typeof byName === 'object' && byName !== null && anyName in byName;
  if (!isRecord || 'additionalProperties' in rest) return same;
  return { ...rest, additionalProperties: (byName as Record<string, unknown>)[anyName] };
}

/**
 * Checks one part of the requests of an endpoint; compiled at the first request. Queries are
 * coerced to the declared types in place. Throws M_MISSING_PARAM, M_BAD_JSON (body),
 * M_INVALID_PARAM (query).
 */
export function createValidator(
  schema: TSchema | undefined,
  what: 'body' | 'query',
): (value: unknown) => void {
  if (!schema) return () => undefined;
  let validate: ValidateFunction | null = null;
  return (value) => {
    validate ??= (what === 'body' ? bodies : queries).compile(asMeant(schema) as AnySchema);
    if (!validate(value)) fail(validate, what);
  };
}
