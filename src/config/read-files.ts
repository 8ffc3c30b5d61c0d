import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import type { Path } from './reading.ts';

/** Where a value stands. */
export interface Place {
  file: string;
  line: number;
}

/** Something is wrong with the configuration; each problem is one line. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  /** What an admin should know besides, one line each. */
  readonly warnings: readonly string[];
  constructor(problems: readonly string[], warnings: readonly string[] = []) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
    this.warnings = warnings;
  }
}

export interface FileOption {
  value: unknown;
  /** Where the value at a path inside the option stands, or as much of the path as there is. */
  placeOf(within: Path): Place;
}

/** Top-level options of all files, each from the last file that has it. */
export type FileOptions = ReadonlyMap<string, FileOption>;

async function filesOf(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new ConfigError([`${path}: there is no such file or folder`]);
  if (!found.isDirectory()) return [path];
  const names = await readdir(path);
  return names
    .filter((name) => name.endsWith('.yaml') || name.endsWith('.yml'))
    .toSorted()
    .map((name) => join(path, name));
}

/** The offset of what a path leads to, or of the last thing on the way to it. */
function offsetOf(root: unknown, path: Path): number {
  let offset = 0;
  let at = root;
  for (const key of path) {
    if (isMap(at)) {
      const pair = at.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      at = pair.value;
    } else if (isSeq(at) && typeof key === 'number') {
      at = at.items[key];
      offset = (at as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

/** The reader’s words without the place, which stands before them. */
const withoutPlace = (message: string) =>
  message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '');

function readText(file: string, content: string, into: Map<string, FileOption>): string[] {
  const lineCounter = new LineCounter();
  // Others' servers read their files as YAML 1.1, where `off` is false and 0660 is octal.
  const document = parseDocument(content, { lineCounter, uniqueKeys: true, version: '1.1' });
  const lineOf = (offset: number) => lineCounter.linePos(offset).line;
  if (document.errors.length > 0) {
    return document.errors.map(
      ({ pos, message }) => `${file}:${lineOf(pos[0])}: ${withoutPlace(message)}`,
    );
  }
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return [];
  if (!isMap(contents)) return [`${file}:1: a configuration file is a mapping of options`];
  let values: Record<string, unknown>;
  try {
    values = document.toJS() as Record<string, unknown>;
  } catch (error) {
    return [`${file}:1: ${(error as Error).message}`];
  }
  for (const [name, value] of Object.entries(values)) {
    into.set(name, {
      value,
      placeOf: (path) => ({ file, line: lineOf(offsetOf(contents, [name, ...path])) }),
    });
  }
  return [];
}

/** Reads files and folders (their .yaml files by name); later ones win. Throws ConfigError. */
export async function readConfigFiles(paths: readonly string[]): Promise<FileOptions> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  if (files.length === 0) {
    throw new ConfigError(paths.map((path) => `${path}: there are no .yaml files in this folder`));
  }
  const problems: string[] = [];
  const contentOf = (file: string) =>
    readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      problems.push(`${file}: cannot be read (${error.code ?? error.message})`);
      return '';
    });
  const contents = await Promise.all(files.map(contentOf));
  const options = new Map<string, FileOption>();
  for (const [i, file] of files.entries()) problems.push(...readText(file, contents[i]!, options));
  if (problems.length > 0) throw new ConfigError(problems);
  return options;
}
