import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { declaredRows } from '../../src/apps/declared-rows.ts';

const prefix = '/_synapse/admin';
const text = ['admin-api.md', 'admin-api-rooms.md']
  .map((name) => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8'))
  .join('\n');

/** The same whatever parameters are called. */
const shape = (method: string, path: string) =>
  `${method} ${path.replaceAll(/:\w+|\{\w+\}/g, '{}')}`;

/** Rows begin with methods and paths. */
const documented = text
  .split('\n')
  .filter((line) => /^\| [A-Z]{3}/.test(line))
  .flatMap((line) => {
    const [, methods, paths] = line.split('|');
    const named = [...paths!.matchAll(/`([^`]+)`/g)].map(([, path]) => path!);
    return methods!.split(',').flatMap((method) => named.map((path) => shape(method.trim(), path)));
  });

test('the documents of the admin API have every endpoint, and no other', () => {
  const declared = declaredRows()
    .filter(({ path }) => path.startsWith(prefix))
    .map(({ method, path }) => shape(method, path.slice(prefix.length)));
  assert.ok(declared.length > 0);
  assert.deepEqual(documented.toSorted(), declared.toSorted());
});
