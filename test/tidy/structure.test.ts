import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

/** Folders that may be imported from those above them, lowest first. */
const layers = [
  ['kernel'],
  ['matrix'],
  [
    'config',
    'database',
    'streams',
    'http',
    'outbound',
    'federation-client',
    'routing',
    'cluster',
    'link',
  ],
  // Everything else is a domain.
  [],
  ['router'],
  ['apps'],
  ['up'],
  ['commands'],
];
const domainLayer = 3;
/** Files that stand directly in src/. */
const topLayer = layers.length;

interface Source {
  path: string;
  folder: string;
  text: string;
  imports: string[];
}

async function sources(): Promise<Source[]> {
  const found: Source[] = [];
  for await (const path of glob('src/**/*.ts', { cwd: root })) {
    const text = await readFile(join(root, path), 'utf8');
    const imports = [...text.matchAll(/from '(\.[^']+)'|import\('(\.[^']+)'\)/g)].map((match) =>
      normalize(join(dirname(path), match[1] ?? match[2]!)),
    );
    found.push({
      path,
      folder: path.split('/').length > 2 ? path.split('/')[1]! : '',
      text,
      imports,
    });
  }
  return found;
}

const folderOf = (path: string) => (path.split('/').length > 2 ? path.split('/')[1]! : '');

function layerOf(folder: string): number {
  if (folder === '') return topLayer;
  const at = layers.findIndex((layer) => layer.includes(folder));
  return at === -1 ? domainLayer : at;
}

const all = await sources();
assert.ok(all.length > 0, 'the sources are found');
const isTest = (path: string) => path.endsWith('.test.ts') || basename(path).startsWith('test-');

test('dependencies point one way', () => {
  const wrong: string[] = [];
  for (const { path, folder, imports } of all) {
    for (const target of imports) {
      const to = folderOf(target);
      if (to === folder || !target.startsWith('src/')) continue;
      if (layerOf(to) > layerOf(folder) && !isTest(path)) wrong.push(`${path} → ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('domains reach each other through module.ts only', () => {
  const wrong: string[] = [];
  for (const { path, folder, imports } of all) {
    if (layerOf(folder) !== domainLayer || isTest(path)) continue;
    for (const target of imports) {
      const to = folderOf(target);
      const isOther = to !== folder && layerOf(to) === domainLayer;
      if (isOther && basename(target) !== 'module.ts' && !target.startsWith('src/appservices/')) {
        wrong.push(`${path} → ${target}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('the specification’s logic is pure', () => {
  const allowed = ['node:crypto', 'node:assert/strict', 'node:test', 'sodium-native', 'fast-check'];
  const wrong: string[] = [];
  for (const { path, folder, text } of all) {
    if (folder !== 'matrix') continue;
    for (const [, name] of text.matchAll(/from '([^'.][^']*)'/g)) {
      if (!allowed.includes(name!)) wrong.push(`${path} imports ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('SQL stands in store folders and in the database layer', () => {
  const wrong = all
    .filter(({ folder }) => layerOf(folder) >= domainLayer && folder !== 'commands')
    .filter(({ path }) => !path.includes('/store/') && !isTest(path))
    .filter(({ text }) => /\bstatement[<(]/.test(text))
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test('files are small', () => {
  const linesMax = 500;
  const wrong = all
    .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
    .filter(({ lines }) => lines > linesMax);
  assert.deepEqual(wrong, []);
});

test('names are kebab-case and nothing is exported by default', () => {
  const vague = ['utils', 'helpers', 'common', 'manager', 'misc'];
  const wrong = all
    .filter(
      ({ path, text }) =>
        !/^[a-z0-9.-]+\.ts$/.test(basename(path)) ||
        vague.some((word) => basename(path).includes(word)) ||
        (/^export default /m.test(text) && !path.endsWith('.d.ts')),
    )
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test('there are no circular imports between files', () => {
  const byPath = new Map(all.map((source) => [source.path, source]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]) => {
    if (done.has(path)) return;
    const at = trail.indexOf(path);
    if (at !== -1) {
      cycles.push([...trail.slice(at), path].join(' → '));
      return;
    }
    const source = byPath.get(path);
    if (!source) return;
    const values = [...source.text.matchAll(/^(import|export) (?!type )[^;]*?from '(\.[^']+)'/gms)];
    for (const [, , target] of values) {
      visit(normalize(join(dirname(path), target!)), [...trail, path]);
    }
    done.add(path);
  };
  for (const { path } of all) visit(path, []);
  assert.deepEqual(cycles, []);
});

test('no conflict of a merge is left behind', async () => {
  const left: string[] = [];
  for await (const path of glob('{*.md,{docs,src,test,bin}/**/*.{md,ts,mjs,json,sql}}', {
    cwd: root,
  })) {
    const text = await readFile(join(root, path), 'utf8');
    if (/^(?:<{7}|>{7}) /m.test(text)) left.push(path);
  }
  assert.deepEqual(left, []);
});
