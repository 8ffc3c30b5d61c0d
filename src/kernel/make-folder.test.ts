import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeFolder } from './make-folder.ts';

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'lattice-folders-'));
  await chmod(base, 0o700);
});
after(() => rm(base, { recursive: true, force: true }));

test('a folder is made with those above it, by several at once, and once', async () => {
  const path = join(base, 'a', 'b', 'c');
  const made = await Promise.all([makeFolder(path, 0o750), makeFolder(path, 0o750)]);
  assert.ok(made.includes(join(base, 'a')));
  assert.equal((await stat(path)).mode & 0o777, 0o750);
  assert.equal(await makeFolder(path), null);
  assert.equal(await makeFolder(join(path, 'd')), join(path, 'd'));
});

test(
  'where there can be no folder, it is said',
  { skip: process.platform !== 'linux' },
  async () => {
    await writeFile(join(base, 'file'), '');
    for (const path of [
      '/proc/lattice/data',
      '/proc/lattice',
      join(base, 'file', 'x'),
      join(base, 'file'),
    ]) {
      // oxlint-disable-next-line no-await-in-loop
      await assert.rejects(makeFolder(path), (error: Error) =>
        error.message.startsWith(`the folder ${path} cannot be made: `),
      );
    }
  },
);
