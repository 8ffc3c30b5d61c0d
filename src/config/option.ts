import { anything, orNull, type Kind } from './kinds.ts';
import { Findings, Reading } from './reading.ts';

/**
 * An option, declared once: from it come how its value is checked, what it is without a value, the
 * reference, and the comments in the configuration that `generate-config` writes.
 */
export interface Option<T> {
  kind: Kind<T>;
  byDefault: T;
  /** Sentences; wrapped where they are printed. For inert options: a few words. */
  doc: string;
  /** How the default is written in the reference, where that is not the value itself. */
  defaultText?: string;
  /** YAML that shows a use: a value, or the lines below the name. */
  example?: string;
  /** The option is known and accepted, and does nothing yet. */
  isInert: boolean;
  /** The options inside it, when it is a mapping, or a list of mappings, of such. */
  members?: Options;
}

export type Options = Readonly<Record<string, Option<unknown>>>;

export type ValuesOf<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

type More = Pick<Option<unknown>, 'defaultText' | 'example' | 'members'>;

export function option<T>(kind: Kind<T>, byDefault: T, doc: string, more: More = {}): Option<T> {
  return { kind, byDefault, doc, isInert: false, ...more };
}

/** An option that is null unless it is set. */
export function optional<T>(kind: Kind<T>, doc: string, more: More = {}): Option<T | null> {
  return option<T | null>(orNull(kind), null, doc, { defaultText: 'not set', ...more });
}

/** Options that do nothing yet, by name, with what they are for. */
export function inert<N extends string>(docs: Record<N, string>): Record<N, Option<unknown>> {
  const entries = Object.entries<string>(docs).map(([name, doc]): [string, Option<unknown>] => [
    name,
    { kind: anything, byDefault: undefined, doc, isInert: true },
  ]);
  return Object.fromEntries(entries) as Record<N, Option<unknown>>;
}

/** Reads a mapping of options; what is left out, null or wrong is as by default. */
export function readOptions<O extends Options>(
  options: O,
  given: Readonly<Record<string, unknown>>,
  at: Reading,
): ValuesOf<O> {
  const values: Record<string, unknown> = {};
  for (const [name, { kind, byDefault, isInert }] of Object.entries(options)) {
    values[name] = byDefault;
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined || (value === null && !kind.takesNull)) continue;
    if (isInert) at.within(name).inert();
    const read = kind.read(value, at.within(name));
    if (read !== undefined) values[name] = read;
  }
  return values as ValuesOf<O>;
}

/** A mapping whose members are options. */
export function mappingOf<O extends Options>(members: O): Kind<ValuesOf<O>> {
  return {
    allowed: `a mapping`,
    read(value, at) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return at.problem(
          `must be a mapping, not ${Array.isArray(value) ? 'a list' : 'a single value'}`,
        );
      }
      const names = Object.keys(members);
      for (const name of Object.keys(value)) {
        if (!Object.hasOwn(members, name)) at.within(name).unknownName(names);
      }
      return readOptions(members, value as Record<string, unknown>, at);
    },
  };
}

/** What a mapping is when nothing in it is set. */
export const defaultsOf = <O extends Options>(members: O): ValuesOf<O> =>
  readOptions(members, {}, new Reading(new Findings(), []));

/** An option that is a mapping of options. */
export const group = <O extends Options>(members: O, doc: string): Option<ValuesOf<O>> =>
  option(mappingOf(members), defaultsOf(members), doc, { members });

/** Options that belong together, as the reference shows them. */
export interface Section<O extends Options = Options> {
  title: string;
  doc: string;
  options: O;
}

export const section = <const O extends Options>(
  title: string,
  doc: string,
  options: O,
): Section<O> => ({ title, doc, options });
