import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomVersion } from '../../matrix/room-versions.ts';
import { RoomHead } from './head.ts';
import { WaitingAppends, type Land, type WaitingAppend } from './waiting-appends.ts';

const room = {
  roomNid: 1,
  roomId: '!r:x',
  roomVersion: '11',
  joinedCount: 1,
  invitedCount: 0,
  isBlocked: false,
};

function open() {
  const head = new RoomHead(room, roomVersion('11'), true, null);
  const waiting = new WaitingAppends();
  const next = (): { before: WaitingAppend | null; land: Land; own: WaitingAppend } => {
    const before = waiting.last();
    const draft = waiting.draftAfter(head, before);
    const land = waiting.add(head, draft, before);
    return { before, land, own: waiting.last()! };
  };
  return { head, waiting, next };
}

test('each stands on the last that may still come into the room', () => {
  const { waiting, next } = open();
  const [a, b, c] = [next(), next(), next()];
  assert.deepEqual([a.before, b.before, c.before], [null, a.own, b.own]);
  c.land(null);
  assert.equal(waiting.last(), b.own);
  // What stands on one that is void is as good as void.
  a.land(null);
  assert.equal(waiting.last(), null);
  const d = next();
  assert.equal(d.before, null);
  b.land(null);
  assert.equal(waiting.last(), d.own);
  d.land([]);
  assert.equal(waiting.last(), null);
  assert.equal(waiting.count, 0);
});

test('who waits is told where the one before has ended', async () => {
  const { next } = open();
  const [a, b] = [next(), next()];
  const extremities = [{ eventId: '$a', depth: 1 }];
  a.land(extremities);
  b.land(null);
  assert.equal(await b.before!.landed, extremities);
  assert.equal(await b.own.landed, null);
});

test('a room in which something always waits does not pile up drafts', () => {
  const { head, next } = open();
  let last = next();
  for (let i = 0; i < 50_000; i++) {
    const one = next();
    last.land(head.extremities);
    last = one;
  }
  assert.equal(last.own.draft.get('m.room.topic', ''), undefined);
  assert.equal(last.before!.before, null);
});
