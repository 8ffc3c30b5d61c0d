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

  within(...keys: Path): Reading {
    return new Reading(this.#findings, [...this.#path, ...keys]);
  }

  /** The value is wrong. */
  problem(message: string): undefined {
    this.#findings.problems.push({ path: this.#path, message });
  }

  /** Whether something was wrong with the value or inside of it. */
  get hasProblem(): boolean {
    return this.#findings.problems.some(({ path }) =>
      this.#path.every((key, i) => path[i] === key),
    );
  }

  warn(message: string): void {
    this.#findings.warnings.push({ path: this.#path, message });
  }

  /** The value is set and does nothing yet. */
  inert(): void {
    this.#findings.inert.push(this.#path);
  }

  /** The last name of the path is not one of `known`. */
  unknownName(known: Iterable<string>): void {
    const guess = nearestName(String(this.#path.at(-1)), known);
    const hint = guess ? `; did you mean ${pathText([...this.#path.slice(0, -1), guess])}?` : '';
    this.warn(`unknown option, ignored${hint}`);
  }
}
