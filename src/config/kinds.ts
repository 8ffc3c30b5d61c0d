import { Findings, Reading } from './reading.ts';

/** How a value of the file becomes what the program uses. */
export interface Kind<T> {
  /** In words, for errors and the reference. */
  allowed: string;
  /** Undefined: the value is not allowed, which has been told to `at`. */
  read(value: unknown, at: Reading): T | undefined;
  /** `null` in the file is a value of its own, and not the same as leaving the option out. */
  takesNull?: boolean;
}

const silent = () => new Reading(new Findings(), []);

/** Longer values are cut off in messages. */
const shownMax = 80;

/** A value as a message shows it; what is inside of lists and mappings may be secret. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const json = JSON.stringify(value) ?? String(value);
  return json.length > shownMax ? `${json.slice(0, shownMax)}…` : json;
}

/** A kind whose wrong values are not shown. */
export const secret = <T>({ allowed, read }: Kind<T>): Kind<T> => ({
  allowed,
  read: (value, at) =>
    read(value, silent()) ?? at.problem(`must be ${allowed}; what is there is not shown`),
});

/** A kind whose values are right or wrong as a whole; `read` gives undefined for wrong ones. */
export function kind<T>(allowed: string, read: (value: unknown) => T | undefined): Kind<T> {
  return {
    allowed,
    read: (value, at) => {
      const result = read(value);
      return result === undefined ? at.problem(`must be ${allowed}, not ${shown(value)}`) : result;
    },
  };
}

const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);
const isCount = (value: unknown): value is number =>
  isNumber(value) && Number.isInteger(value) && value >= 0;

export const text = kind('text', (value) => (typeof value === 'string' ? value : undefined));

/** Text that YAML may take for a number, such as a password of digits. */
export const textOrNumber = kind('text', (value) =>
  typeof value === 'string' || isNumber(value) ? String(value) : undefined,
);

export const secretText = secret(text);
export const secretTextOrNumber = secret(textOrNumber);

export const flag = kind('true or false', (value) =>
  typeof value === 'boolean' ? value : undefined,
);

export const count = kind('a whole number from 0', (value) => (isCount(value) ? value : undefined));

const portMax = 65_535;
export const port = kind(`a port from 0 to ${portMax}`, (value) =>
  isCount(value) && value <= portMax ? value : undefined,
);

export const positive = kind('a number above 0', (value) =>
  isNumber(value) && value > 0 ? value : undefined,
);

/** Anything at all: the value is not looked at. */
export const anything: Kind<unknown> = {
  allowed: 'anything',
  read: (value) => value,
  takesNull: true,
};

/** A mapping that is handed on as it is. */
export const mapping = kind('a mapping', (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined,
);

export const oneOf = <const T extends readonly (string | boolean)[]>(
  ...values: T
): Kind<T[number]> =>
  kind(`one of ${values.join(', ')}`, (value) => values.find((allowed) => allowed === value));

/** `null` says "none". */
export const orNull = <T>(inner: Kind<T>): Kind<T | null> => ({
  allowed: inner.allowed,
  read: (value, at) => (value === null ? null : inner.read(value, at)),
  takesNull: true,
});

export function list<T>(item: Kind<T>): Kind<T[]> {
  const allowed = `a list, each ${item.allowed}`;
  return {
    allowed,
    read(value, at) {
      if (!Array.isArray(value)) return at.problem(`must be ${allowed}, not ${shown(value)}`);
      const items = value.map((entry, i) => item.read(entry, at.within(i)));
      return items.filter((entry) => entry !== undefined);
    },
  };
}

/** One text, or a list of them. */
export const textOrList: Kind<string[]> = {
  allowed: 'a text or a list of texts',
  read: (value, at) => (typeof value === 'string' ? [value] : list(text).read(value, at)),
};

const unitsMs: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** Milliseconds; `5m`, `30s`, `7d`, or a number of milliseconds. */
export const duration = kind(
  'a duration such as 30s, 5m, 12h, 7d or a number of milliseconds',
  (value) => {
    if (isNumber(value)) return value >= 0 ? value : undefined;
    const match = typeof value === 'string' && /^(\d+)(ms|s|m|h|d|w|y)?$/.exec(value.trim());
    return match ? Number(match[1]) * unitsMs[match[2] ?? 'ms']! : undefined;
  },
);
