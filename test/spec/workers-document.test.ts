import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readManual, skip } from './worker-manual.ts';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/workers.md'), 'utf8');

/** Cells of the rows of all tables. */
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('|--'))
  .map((line) =>
    line
      .replaceAll('\\|', '\0')
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('\0', '|')),
  );
const firsts = new Set(rows.map(([first]) => first));

test('the document has every row of the worker manual', { skip }, () => {
  const { apps, settings } = readManual();
  const missing: string[] = [];
  const need = (row: string) => {
    if (!firsts.has(row)) missing.push(row);
  };
  for (const [app, { endpoints, load_balancing: rules, limitations }] of Object.entries(apps)) {
    need(`\`${app}\``);
    for (const { regex } of endpoints) need(`\`${regex}\``);
    for (const { groups = [], rule } of rules) need(`${app}: ${groups.join(', ')}; ${rule}`);
    for (const { id } of limitations) need(`\`${app}.${id}\``);
  }
  for (const [name, { limitations = [] }] of Object.entries(settings)) {
    need(`\`${name}\``);
    for (const { id } of limitations) need(`\`${name}.${id}\``);
  }
  assert.deepEqual(missing, []);
});

test('every test that the document names is there', () => {
  const named = [...text.matchAll(/`((?:src|test)\/[^`]+\.test\.ts)`/g)].map(([, path]) => path!);
  assert.ok(named.length > 0);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

test('every row says how it is tested, or with what it comes', () => {
  const tested = rows.filter(([first, ...rest]) => rest.length === 2 && first !== 'row');
  const open = tested.filter(
    ([, how, proof]) => !/`(src|test)\//.test(proof!) && !/[Cc]omes with|[Nn]othing to/.test(how!),
  );
  assert.deepEqual(open, []);
});
