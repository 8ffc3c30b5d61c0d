import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockFolder } from './folder-lock.ts';

test('a folder has one holder, which is named to others, and is free again after it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lattice-lock-'));
  const other = await mkdtemp(join(tmpdir(), 'lattice-lock-'));
  try {
    const lock = await lockFolder(folder);
    const [refused] = await Promise.allSettled([
      lockFolder(folder, 2),
      lockFolder(other).then(({ release }) => release()),
    ]);
    assert.equal(refused.status, 'rejected');
    assert.match(
      String(refused.reason),
      new RegExp(`${folder} already \\(process ${process.pid}\\)`),
    );
    const waiting = lockFolder(folder);
    await lock.release();
    await (await waiting).release();
  } finally {
    await Promise.all([folder, other].map((path) => rm(path, { recursive: true })));
  }
});
