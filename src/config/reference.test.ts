import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { configReference } from './reference.ts';
import { sections } from './sections.ts';

test('the committed reference is what the declarations say', async () => {
  const path = join(import.meta.dirname, '../../docs/reference/configuration.md');
  assert.equal(
    await readFile(path, 'utf8'),
    configReference(),
    'run: npx lattice config-reference > docs/reference/configuration.md',
  );
});

test('every option is declared in one section only, with words about it', () => {
  const all = sections.flatMap(({ options }) => Object.entries(options));
  const names = all.map(([name]) => name);
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
  assert.deepEqual(
    all.filter(([, { doc }]) => doc === '').map(([name]) => name),
    [],
  );
});
