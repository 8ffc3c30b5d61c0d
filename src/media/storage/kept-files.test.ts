import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createKeptFiles } from './kept-files.ts';

const folder = await mkdtemp(join(tmpdir(), 'lattice-kept-'));
after(() => rm(folder, { recursive: true }));

async function fileNamed(name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, name);
  return path;
}

const isClosed = (descriptor: number, inode: number) => {
  try {
    return fstatSync(descriptor).ino !== inode;
  } catch {
    return true;
  }
};

test('a file is opened once for many', async () => {
  const files = createKeptFiles();
  const path = await fileNamed('many');
  const first = await files.take(path);
  files.release(first);
  const second = await files.take(path);
  assert.equal(second.descriptor, first.descriptor);
  files.release(second);
  files.forget(path);
});

test('who reads a file that is forgotten reads on, and the last one closes it', async () => {
  const files = createKeptFiles();
  const path = await fileNamed('forgotten');
  const first = await files.take(path);
  const { ino } = fstatSync(first.descriptor);
  const second = await files.take(path);
  files.forget(path);
  files.release(first);
  assert.equal(isClosed(first.descriptor, ino), false);
  files.release(second);
  assert.equal(isClosed(first.descriptor, ino), true);
});

test('a file that is forgotten unused is closed, and opened anew', async () => {
  const files = createKeptFiles();
  const path = await fileNamed('unused');
  const file = await files.take(path);
  const { ino } = fstatSync(file.descriptor);
  files.release(file);
  files.forget(path);
  assert.equal(isClosed(file.descriptor, ino), true);
  await rm(path);
  await assert.rejects(files.take(path), { code: 'ENOENT' });
});

test('few are kept open', async () => {
  const files = createKeptFiles();
  const paths = await Promise.all(Array.from({ length: 70 }, (_, i) => fileNamed(`few-${i}`)));
  const taken = await Promise.all(paths.map((path) => files.take(path)));
  const inodes = taken.map(({ descriptor }) => fstatSync(descriptor).ino);
  for (const file of taken) files.release(file);
  const closed = taken.filter(({ descriptor }, i) => isClosed(descriptor, inodes[i]!));
  assert.equal(closed.length, 6);
  for (const path of paths) files.forget(path);
});
