import type { JsonObject } from '../pdu.ts';

/** The filter is not one; the message says which member is wrong. */
export class InvalidFilter extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidFilter';
  }
}

/** Reads typed members of a filter object. Unknown members are left alone. */
export interface Members {
  strings(name: string, form?: { sigil: string }): readonly string[] | null;
  boolean(name: string): boolean | null;
  count(name: string): number | null;
  object(name: string): Members;
  choice<T extends string>(name: string, choices: readonly T[]): T | null;
}

/** Ids in one list; more make a filter too costly to keep and to match. */
const listLengthMax = 10_000;

function stringList(value: unknown, path: string, sigil: string | undefined): readonly string[] {
  if (!Array.isArray(value)) throw new InvalidFilter(`${path} must be an array of strings`);
  if (value.length > listLengthMax) throw new InvalidFilter(`${path} is too long`);
  for (const entry of value) {
    if (typeof entry !== 'string') throw new InvalidFilter(`${path} must hold strings only`);
    if (sigil !== undefined && !entry.startsWith(sigil)) {
      throw new InvalidFilter(`${path} must hold ids that begin with ${sigil}`);
    }
  }
  return value as string[];
}

/** `path` names the object in messages, for example `room.timeline`. */
export function membersOf(json: unknown, path: string): Members {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new InvalidFilter(`${path} must be an object`);
  }
  const object = json as JsonObject;
  const get = (name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);
  const pathOf = (name: string) => (path === 'filter' ? name : `${path}.${name}`);
  return {
    strings(name, form) {
      const value = get(name);
      return value === undefined ? null : stringList(value, pathOf(name), form?.sigil);
    },
    boolean(name) {
      const value = get(name);
      if (value === undefined) return null;
      if (typeof value !== 'boolean') throw new InvalidFilter(`${pathOf(name)} must be a boolean`);
      return value;
    },
    count(name) {
      const value = get(name);
      if (value === undefined) return null;
      if (!Number.isSafeInteger(value) || (value as number) < 0) {
        throw new InvalidFilter(`${pathOf(name)} must be an integer that is not negative`);
      }
      return value as number;
    },
    object: (name) => membersOf(get(name) ?? {}, pathOf(name)),
    choice(name, choices) {
      const value = get(name);
      if (value === undefined) return null;
      const chosen = choices.find((choice) => choice === value);
      if (chosen === undefined) {
        throw new InvalidFilter(`${pathOf(name)} must be one of ${choices.join(', ')}`);
      }
      return chosen;
    },
  };
}
