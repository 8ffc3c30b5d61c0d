import { nearestName } from './nearest-name.ts';

/** The way from the top of the files to a value: option, member, index in a list, … */
export type Path = readonly (string | number)[];

export interface Remark {
  path: Path;
  message: string;
}

/** What is found out while values are read. */
export class Findings {
  /** With one of these the configuration cannot be used. */
  readonly problems: Remark[] = [];
  readonly warnings: Remark[] = [];
  /** Options that are set and have no effect yet. */
  readonly inert: Path[] = [];
}

/** `a.b[2].c` */
export const pathText = (path: Path): string =>
  path.reduce<string>(
    (name, key) =>
      typeof key === 'number' ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`,
    '',
  );

/** The reading of the value at one path. */
export class Reading {
  readonly #findings: Findings;
  readonly #path: Path;

  constructor(findings: Findings, path: Path) {
    this.#findings = findings;
    this.#path = path;
  }

  within(key: string | number): Reading {
    return new Reading(this.#findings, [...this.#path, key]);
  }

  /** The value is wrong. */
  problem(message: string): undefined {
    this.#findings.problems.push({ path: this.#path, message });
  }

  warn(message: string): void {
    this.#findings.warnings.push({ path: this.#path, message });
  }

  /** The value is set and does nothing yet. */
  inert(): void {
    this.#findings.inert.push(this.#path);
  }

  /** A name that is not one of `known`. */
  unknownName(known: Iterable<string>): void {
    const name = String(this.#path.at(-1));
    const parents = this.#path.slice(0, -1);
    const guess = nearestName(name, known);
    const hint = guess ? `; did you mean ${pathText([...parents, guess])}?` : '';
    this.warn(`unknown option, ignored${hint}`);
  }
}
