import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLeaseLost } from '../../database/fence.ts';
import type { HeadStore } from '../store/load-head.ts';
import { createHeadCache } from './head-cache.ts';

const roomId = '!a:x';
const fenceOf = (epoch: number) => ({
  holder: 'me',
  role: 'events',
  shard: 1,
  epoch,
  isOver: false,
});

function cacheOfOneRoom() {
  const row = { roomNid: 1, roomId, joinedCount: 0, invitedCount: 0, isBlocked: false };
  const store: Pick<HeadStore, 'load' | 'members'> = {
    load: async () => ({ room: { ...row, roomVersion: '11' }, state: [], extremities: [] }),
    members: async () => [],
  };
  return createHeadCache(store as HeadStore, 1_000_000);
}

test('a head of an earlier lease is read again', async () => {
  const cache = cacheOfOneRoom();
  const old = await cache.pinned(roomId, [], fenceOf(1));
  const head = await cache.pinned(roomId, [], fenceOf(2));
  assert.notEqual(head, old);
  assert.deepEqual([old!.broken, head!.broken], [true, false]);
});

test('who comes with a lease that has ended does not take the head from who has it now', async () => {
  const cache = cacheOfOneRoom();
  const head = await cache.pinned(roomId, [], fenceOf(2));
  await assert.rejects(cache.pinned(roomId, [], fenceOf(1)), isLeaseLost);
  cache.unpin(head!);
  await assert.rejects(cache.pinned(roomId, [], fenceOf(1)), isLeaseLost);
  assert.equal(await cache.pinned(roomId, [], fenceOf(2)), head);
  assert.equal(head!.broken, false);
});
