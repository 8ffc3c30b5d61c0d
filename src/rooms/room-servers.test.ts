import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalBus } from '../streams/bus.ts';
import { createRoomServers } from './room-servers.ts';
import { eventStream, type EventRow } from './streams.ts';

function setUp(joined: Record<number, string[]>, tag = '') {
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const asked: number[][] = [];
  let beforeAnswer: () => void = () => undefined;
  const servers = createRoomServers(
    {
      async joinedServers(roomNids) {
        asked.push([...roomNids]);
        const known = roomNids.filter((nid) => joined[nid]);
        const rows = known.map((roomNid) => ({
          roomNid,
          servers: [...joined[roomNid]!],
          positions: joined[roomNid]!.map(() => 1),
        }));
        await Promise.resolve();
        beforeAnswer();
        return rows;
      },
    },
    { ...bus, tag },
  );
  const change = (roomNid: number, userId: string, from: string, to: string, isLocal = false) => {
    const memberships = [{ userId, userNid: 1, isLocal, from, to }];
    const row = { memberships, event: { roomNid } } as unknown as EventRow;
    bus.publish([{ stream: eventStream, pos: bus.position() + 1, row }]);
  };
  return { servers, asked, change, onAnswer: (call: () => void) => (beforeAnswer = call) };
}

test('the servers of rooms are asked for once, all together', async () => {
  const { servers, asked } = setUp({ 1: ['a', 'b:8448'], 2: ['a'] });
  const found = await servers.joined([1, 2, 3]);
  assert.deepEqual([...found.get(1)!.keys()], ['a', 'b:8448']);
  assert.equal(found.get(3)!.size, 0);
  assert.ok(await servers.isJoined(1, 'b:8448'));
  assert.ok(!(await servers.isJoined(3, 'a')));
  assert.deepEqual(asked, [[1, 2, 3]]);
});

test('who joins and leaves is seen at once; further users of a server ask nobody', async () => {
  const joined: Record<number, string[]> = { 1: ['a'] };
  const { servers, asked, change } = setUp(joined);
  await servers.joined([1]);
  change(1, '@x:a', 'leave', 'join');
  change(1, '@y:b', 'leave', 'invite');
  change(1, '@z:here', 'leave', 'join', true);
  await servers.joined([1]);
  assert.equal(asked.length, 1);
  joined[1] = ['a', 'b'];
  change(1, '@y:b', 'invite', 'join');
  assert.ok(await servers.isJoined(1, 'b'));
  joined[1] = ['b'];
  change(1, '@x:a', 'join', 'ban');
  assert.ok(!(await servers.isJoined(1, 'a')));
});

test('what was read while somebody came or left is not kept', async () => {
  const joined: Record<number, string[]> = { 1: ['a'] };
  const { servers, change, onAnswer } = setUp(joined);
  onAnswer(() => {
    onAnswer(() => undefined);
    joined[1] = ['a', 'b'];
    change(1, '@y:b', 'leave', 'join');
  });
  await servers.joined([1]);
  assert.ok(await servers.isJoined(1, 'b'));
});

test('whom another process may have let in just now is looked for, once for each question', async () => {
  const joined: Record<number, string[]> = { 1: ['a'] };
  const { servers, asked } = setUp(joined, 'one of several');
  await servers.joined([1]);
  assert.ok(await servers.isJoined(1, 'a'));
  assert.equal(asked.length, 1);
  joined[1] = ['a', 'b'];
  assert.ok(await servers.isJoined(1, 'b'));
  assert.ok(!(await servers.isJoined(1, 'c')));
  assert.equal(asked.length, 3);
});
