import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMap, isPair, isScalar, LineCounter, parseDocument } from 'yaml';

/** Where a value stands. */
export interface Place {
  file: string;
  line: number;
}

/** Something is wrong with the configuration; each problem is one line. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Top-level options of all files, each from the last file that has it. */
export interface RawConfig {
  values: Map<string, { value: unknown; place: Place }>;
}

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

function readText(file: string, content: string, into: RawConfig): string[] {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    return document.errors.map((error) => {
      const { line } = lines.linePos(error.pos[0]);
      return `${file}:${line}: ${error.message.split('\n')[0]}`;
    });
  }
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return [];
  if (!isMap(contents)) return [`${file}:1: a configuration file is a mapping of options`];
  for (const pair of contents.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const { line } = lines.linePos(pair.key.range?.[0] ?? 0);
    const value = (pair.value as { toJS(doc: unknown): unknown } | null)?.toJS(document);
    into.values.set(String(pair.key.value), { value, place: { file, line } });
  }
  return [];
}

/** Reads files and folders (their .yaml files by name); later ones win. Throws ConfigError. */
export async function readConfigFiles(paths: readonly string[]): Promise<RawConfig> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const raw: RawConfig = { values: new Map() };
  const problems: string[] = [];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  for (const [i, file] of files.entries()) problems.push(...readText(file, texts[i]!, raw));
  if (problems.length > 0) throw new ConfigError(problems);
  return raw;
}
