const two = (value: number) => String(value).padStart(2, '0');

const parts: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  H: (date) => two(date.getUTCHours()),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  b: (date) => date.toLocaleString('en', { month: 'short', timeZone: 'UTC' }),
  B: (date) => date.toLocaleString('en', { month: 'long', timeZone: 'UTC' }),
  '%': () => '%',
};

/** The filter `format_ts` of templates: milliseconds since 1970 as `strftime` writes them, in UTC. */
export function formatTs(ts: number, format: string): string {
  const date = new Date(ts);
  return format.replaceAll(/%(.)/g, (whole, letter: string) => parts[letter]?.(date) ?? whole);
}
