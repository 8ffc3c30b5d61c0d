import { readOptions, type Options, type Section, type ValuesOf } from './option.ts';
import { Findings, pathText, Reading, type Path, type Remark } from './reading.ts';
import { ConfigError, type FileOptions } from './read-files.ts';

/** Takes sections out of the files, and gathers what is wrong with them. */
export class OptionLoader {
  readonly #files: FileOptions;
  readonly #findings = new Findings();
  readonly #given: Record<string, unknown>;

  constructor(files: FileOptions) {
    this.#files = files;
    this.#given = Object.fromEntries([...files].map(([name, { value }]) => [name, value]));
  }

  take<O extends Options>(section: Section<O>): ValuesOf<O> {
    return readOptions(section.options, this.#given, this.at());
  }

  /** Whether the files set an option to something. */
  isGiven(name: string): boolean {
    return (this.#given[name] ?? null) !== null;
  }

  /** Where to tell of the value at a path. */
  at(...path: Path): Reading {
    return new Reading(this.#findings, path);
  }

  #line({ path, message }: Remark): string {
    const place = this.#files.get(String(path[0]))?.placeOf(path.slice(1));
    const where = place ? `${place.file}:${place.line}: ` : '';
    return `${where}${pathText(path)}: ${message}`;
  }

  /**
   * Call when all has been taken. Gives what an admin should know, one line each. Throws ConfigError
   * with all problems at once.
   */
  finish(known: ReadonlySet<string>): string[] {
    for (const name of this.#files.keys()) {
      if (!known.has(name)) this.at(name).unknownName(known);
    }
    const { problems, warnings, inert } = this.#findings;
    const lines = warnings.map((remark) => this.#line(remark));
    if (inert.length > 0) lines.push(`without effect yet: ${inert.map(pathText).join(', ')}`);
    if (problems.length > 0) {
      throw new ConfigError(
        problems.map((remark) => this.#line(remark)),
        lines,
      );
    }
    return lines;
  }
}
