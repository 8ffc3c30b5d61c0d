import fc from 'fast-check';
import { oddJson, oddNumber, oddText, RawJson } from './odd-values.ts';

/** The parts of JSON schema that endpoints use. */
export interface Schema {
  type?: string;
  const?: unknown;
  anyOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  required?: string[];
  items?: Schema | Schema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

/** Plausible texts for what has a name: ids of things that exist. */
export type Known = (name: string) => fc.Arbitrary<string>;

const integerMax = 2 ** 53 - 1;

function numberOf({ type, minimum, maximum }: Schema): fc.Arbitrary<unknown> {
  const [min, max] = [minimum ?? -integerMax, maximum ?? integerMax];
  if (type === 'number') return fc.double({ min, max, noNaN: true });
  return fc.oneof(
    fc.integer({ min, max }),
    fc.integer({ min: Math.max(min, 0), max: Math.min(max, Math.max(min, 0) + 50) }),
  );
}

function textOf({ minLength = 0, maxLength }: Schema, name: string, known: Known) {
  const isFitting = (text: string) =>
    text.length >= minLength && (maxLength === undefined || text.length <= maxLength);
  return fc.oneof(
    { arbitrary: known(name), weight: 4 },
    { arbitrary: oddText.filter(isFitting), weight: 1 },
  );
}

function objectOf(schema: Schema, known: Known): fc.Arbitrary<unknown> {
  const { properties = {}, patternProperties, required = [] } = schema;
  const members = Object.entries(properties).map(([key, one]) => {
    return [key, valueOf(one, key, known)] as const;
  });
  const fixed = fc.record(Object.fromEntries(members), {
    requiredKeys: required.filter((key) => key in properties),
  });
  const rest = Object.values(patternProperties ?? {})[0];
  if (!rest && members.length > 0) return fixed;
  // Free objects often are maps from ids.
  const key = fc.oneof(...['user_id', 'room_id', 'event_id', 'type', 'key_id', ''].map(known));
  const free = fc.dictionary(key, rest ? valueOf(rest, '', known) : oddJson, { maxKeys: 3 });
  return fc.tuple(fixed, free).map(([a, b]) => ({ ...b, ...a }));
}

/** Values that a schema describes. `name`: the member's, for ids. */
export function valueOf(schema: Schema, name: string, known: Known): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => valueOf(one, name, known)));
  if (schema.allOf) {
    return fc
      .tuple(...schema.allOf.map((one) => valueOf(one, name, known)))
      .map((parts) => Object.assign({}, ...parts) as unknown);
  }
  switch (schema.type) {
    case 'string':
      return textOf(schema, name, known);
    case 'integer':
    case 'number':
      return numberOf(schema);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array': {
      const { items, minItems: minLength = 0, maxItems } = schema;
      if (Array.isArray(items)) {
        return fc.tuple(...items.map((one) => valueOf(one, name, known)));
      }
      const item = items ? valueOf(items, name, known) : oddJson;
      return fc.array(item, { minLength, maxLength: maxItems ?? Math.max(minLength, 3) });
    }
    case 'object':
      return objectOf(schema, known);
    default:
      return fc.oneof(oddJson, known(name));
  }
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null || value instanceof RawJson) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copyOf(one)]));
}

type Place = { holder: Record<string, unknown> | unknown[]; key: string | number };

function placesOf(value: unknown, places: Place[] = []): Place[] {
  if (Array.isArray(value)) {
    value.forEach((one, key) => {
      places.push({ holder: value, key });
      placesOf(one, places);
    });
  } else if (typeof value === 'object' && value !== null && !(value instanceof RawJson)) {
    for (const [key, one] of Object.entries(value)) {
      places.push({ holder: value as Record<string, unknown>, key });
      placesOf(one, places);
    }
  }
  return places;
}

/** The same with one part, however deep, replaced by something odd, or one member too many. */
export function mutated(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const odd = fc.oneof(oddJson, oddText, oddNumber);
  return fc
    .tuple(values, odd, fc.nat(), fc.option(oddText, { freq: 4 }))
    .map(([value, replacement, at, extra]) => {
      if (typeof value !== 'object' || value === null) return replacement;
      const copy = copyOf(value) as Record<string, unknown>;
      if (extra !== null) return { ...copy, [extra]: replacement };
      const places = placesOf(copy);
      const place = places[at % Math.max(1, places.length)];
      if (!place) return replacement;
      (place.holder as Record<string | number, unknown>)[place.key] = replacement;
      return copy;
    });
}
