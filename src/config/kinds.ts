/** How a value of the file becomes what the program uses. */
export interface Kind<T> {
  /** In words, for errors and the reference. */
  allowed: string;
  /** Undefined: the value is not allowed. */
  read(value: unknown): T | undefined;
}

export const text: Kind<string> = {
  allowed: 'text',
  read: (value) => (typeof value === 'string' ? value : undefined),
};

export const flag: Kind<boolean> = {
  allowed: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
};

export const list = <T>(item: Kind<T>): Kind<T[]> => ({
  allowed: `a list of ${item.allowed}`,
  read(value) {
    if (!Array.isArray(value)) return undefined;
    const items = value.map((entry) => item.read(entry));
    return items.includes(undefined) ? undefined : (items as T[]);
  },
});

export const mapping: Kind<Record<string, unknown>> = {
  allowed: 'a mapping',
  read: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined,
};

export const oneOf = <const T extends readonly (string | boolean)[]>(
  ...values: T
): Kind<T[number]> => ({
  allowed: `one of ${values.join(', ')}`,
  read: (value) => values.find((allowed) => allowed === value),
});

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
export const duration: Kind<number> = {
  allowed: 'a duration such as 30s, 5m, 12h, 7d or a number of milliseconds',
  read(value) {
    if (typeof value === 'number' && value >= 0) return value;
    if (typeof value !== 'string') return undefined;
    const match = /^(\d+)(ms|s|m|h|d|w|y)?$/.exec(value.trim());
    return match ? Number(match[1]) * unitsMs[match[2] ?? 'ms']! : undefined;
  },
};

/** Requests a second and how many at once. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/** `{per_second, burst_count}`; what is left out is as by default. */
export const rate = (byDefault: Rate): Kind<Rate> => ({
  allowed: '{per_second: a number above 0, burst_count: a number above 0}',
  read(value) {
    const fields = mapping.read(value);
    if (!fields) return undefined;
    const { per_second: perSecond = byDefault.perSecond, burst_count: burst = byDefault.burst } =
      fields;
    if (typeof perSecond !== 'number' || typeof burst !== 'number') return undefined;
    return perSecond > 0 && burst > 0 ? { perSecond, burst } : undefined;
  },
});
