import type { Kind } from './kinds.ts';
import { optionsWithoutEffect } from './known-names.ts';
import { ConfigError, type RawConfig } from './read-files.ts';

/** Changes of one character that make one word of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, change));
    }
    row = next;
  }
  return row[b.length]!;
}

function nearest(name: string, names: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(3, Math.floor(name.length / 3)) + 1;
  for (const known of names) {
    const d = distance(name, known);
    if (d < bestDistance) [best, bestDistance] = [known, d];
  }
  return best;
}

/** Takes options out of the files one by one, and gathers what is wrong with them. */
export class OptionReader {
  readonly #raw: RawConfig;
  readonly #known = new Set<string>();
  readonly problems: string[] = [];
  readonly warnings: string[] = [];

  constructor(raw: RawConfig) {
    this.#raw = raw;
  }

  /** The option's value, or the default when it is absent, empty or wrong. */
  take<T, D>(name: string, kind: Kind<T>, byDefault: D): T | D {
    this.#known.add(name);
    const found = this.#raw.values.get(name);
    if (!found || found.value === null || found.value === undefined) return byDefault;
    const value = kind.read(found.value);
    if (value === undefined) {
      this.problem(name, `must be ${kind.allowed}, not ${JSON.stringify(found.value)}`);
      return byDefault;
    }
    return value;
  }

  /** A member of a mapping; the problem is told at the line of the option it belongs to. */
  member<T, D>(
    option: string,
    fields: Record<string, unknown>,
    name: string,
    kind: Kind<T>,
    byDefault: D,
  ): T | D {
    const given = fields[name];
    if (given === undefined || given === null) return byDefault;
    const value = kind.read(given);
    if (value === undefined) {
      this.problem(option, `${name} must be ${kind.allowed}, not ${JSON.stringify(given)}`);
      return byDefault;
    }
    return value;
  }

  problem(name: string, message: string): void {
    const place = this.#raw.values.get(name)?.place;
    const where = place ? `${place.file}:${place.line}: ` : '';
    this.problems.push(`${where}${name}: ${message}`);
  }

  /** Call when all has been taken: warns of what nobody asked for. Throws ConfigError. */
  finish(): void {
    const ignored: string[] = [];
    for (const [name, { place }] of this.#raw.values) {
      if (this.#known.has(name)) continue;
      if (optionsWithoutEffect.includes(name)) {
        ignored.push(name);
        continue;
      }
      const guess = nearest(name, [...this.#known, ...optionsWithoutEffect]);
      const hint = guess ? `; did you mean ${guess}?` : '';
      this.warnings.push(`${place.file}:${place.line}: unknown option ${name}${hint}`);
    }
    if (ignored.length > 0) this.warnings.push(`without effect yet: ${ignored.join(', ')}`);
    if (this.problems.length > 0) throw new ConfigError(this.problems);
  }
}
