import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchItem, Database } from '../../database/database.ts';
import type { Requester } from '../../http/endpoint.ts';
import { createLocalBus } from '../../streams/bus.ts';
import { createCommitter } from '../../streams/committer.ts';
import { createReceipts, receiptStream, type ReceiptRow } from '../module.ts';

const alice = { userNid: 1, userId: '@a:x', deviceId: 'D' } as Requester;

/** A room with the events $1 to $9; $3 is in the thread of $1. Stands in for the database. */
function setUp() {
  const fullyRead: { eventId: string | null } = { eventId: null };
  const placeOf = (eventId: string) => (/^\$[1-9]$/.test(eventId) ? Number(eventId[1]) : null);
  let pos = 100;
  const database = {
    query: ({ name }: { name: string }, params: unknown[]) => {
      const eventId = params.at(-1) as string;
      if (name === 'select_fully_read_move') {
        const place = placeOf(eventId);
        const isAhead = (place ?? 0) > (placeOf(fullyRead.eventId ?? '') ?? 0);
        return Promise.resolve([{ isKnown: place !== null, isAhead }]);
      }
      assert.equal(name, 'select_relations_upwards');
      if (placeOf(eventId) === null) return Promise.resolve([]);
      const root = { eventId: '$1', relType: null, parentId: null };
      if (eventId !== '$3') return Promise.resolve([{ ...root, eventId }]);
      return Promise.resolve([{ eventId, relType: 'm.thread', parentId: '$1' }, root]);
    },
    batch: (_lane: string, work: readonly BatchItem[]) => {
      const lists = work[0]!.params as unknown[][];
      const rows = lists[4]!.map((eventId) => {
        const eventPos = placeOf(eventId as string);
        return { eventPos, eventSub: 0, pos: eventPos === null ? null : ++pos };
      });
      return Promise.resolve([rows]);
    },
  } as unknown as Database;
  const bus = createLocalBus({
    position: 100,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const moved: ReceiptRow[] = [];
  bus.subscribe(receiptStream, (rows) => moved.push(...rows.map(({ row }) => row)));
  const active: string[] = [];
  const receipts = createReceipts({
    clock: { now: () => 7 },
    database,
    bus,
    committer: createCommitter(database, bus),
    rooms: {
      joined: (roomId) =>
        Promise.resolve({
          roomNid: 5,
          roomId,
          roomVersion: '12',
          membership: 'join',
          pos: 1,
          isForgotten: false,
        }),
    },
    setRoomAccountData: (userNid, roomNid, type, content) => {
      assert.deepEqual([userNid, roomNid, type], [1, 5, 'm.fully_read']);
      fullyRead.eventId = content.event_id as string;
      return Promise.resolve();
    },
    noteActivity: (user) => void active.push(user.userId),
  });
  const call = async (at: number, params: object, body: object): Promise<unknown> =>
    receipts.endpoints[at]!.handle({
      params: { roomId: '!r:x', ...params },
      query: {},
      body,
      requester: alice,
      origin: null,
      request: null as never,
      raw: null as never,
    });
  return {
    receipts,
    moved,
    active,
    fullyRead,
    post: (receiptType: string, eventId: string, body: object = {}) =>
      call(0, { receiptType, eventId }, body),
    mark: (body: object) => call(1, {}, body),
  };
}

test('receipts are announced, and given to those who sync', async () => {
  const { receipts, post, moved, active } = setUp();
  assert.deepEqual(await post('m.read', '$2'), {});
  await post('m.read.private', '$3', { thread_id: '$1' });
  assert.deepEqual(moved[0], {
    roomNid: 5,
    roomId: '!r:x',
    userNid: 1,
    userId: '@a:x',
    isLocal: true,
    type: 'm.read',
    threadId: null,
    eventId: '$2',
    eventPos: 2,
    eventSub: 0,
    ts: 7,
  });
  assert.deepEqual(active, ['@a:x', '@a:x']);
  const forOthers = await receipts.changed([{ roomNid: 5, afterPos: 100 }], 200, 2);
  assert.deepEqual(forOthers.get(5), [moved[0]]);
  const own = await receipts.changed([{ roomNid: 5, afterPos: 100 }], 200, 1);
  assert.deepEqual(own.get(5), moved);
});

test('refuses what is no receipt', async () => {
  const { post, mark, moved } = setUp();
  const invalid = { code: 'M_INVALID_PARAM' };
  await assert.rejects(post('m.seen', '$2'), invalid);
  await assert.rejects(post('m.read', 'no id'), invalid);
  await assert.rejects(post('m.read', '$2', { thread_id: 5 }), invalid);
  await assert.rejects(post('m.read', '$2', { thread_id: '' }), invalid);
  await assert.rejects(post('m.fully_read', '$2', { thread_id: 'main' }), invalid);
  await assert.rejects(post('m.read', '$3', { thread_id: 'main' }), invalid);
  await assert.rejects(post('m.read', '$2', { thread_id: '$1' }), invalid);
  await assert.rejects(mark({ 'm.read': 5 }), invalid);
  const unknown = { code: 'M_NOT_FOUND' };
  await assert.rejects(post('m.read', '$unknown'), unknown);
  await assert.rejects(post('m.read', '$unknown', { thread_id: 'main' }), unknown);
  await assert.rejects(post('m.fully_read', '$unknown'), unknown);
  assert.deepEqual(moved, []);
});

test('the fully-read marker moves forwards', async () => {
  const { post, mark, moved, fullyRead } = setUp();
  await post('m.fully_read', '$4');
  await post('m.fully_read', '$2');
  assert.equal(fullyRead.eventId, '$4');
  assert.deepEqual(
    await mark({ 'm.fully_read': '$5', 'm.read': '$6', 'm.read.private': null }),
    {},
  );
  assert.equal(fullyRead.eventId, '$5');
  assert.deepEqual(
    moved.map(({ type, eventId }) => [type, eventId]),
    [['m.read', '$6']],
  );
});

test('receipts of other servers are announced as theirs', async () => {
  const { receipts, moved } = setUp();
  const remote = { roomNid: 5, roomId: '!r:x', userNid: 9, userId: '@z:y', threadId: null, ts: 1 };
  await receipts.receive([
    { ...remote, eventId: '$2' },
    { ...remote, eventId: '$unknown' },
  ]);
  assert.deepEqual(
    moved.map(({ userId, isLocal, eventId }) => [userId, isLocal, eventId]),
    [['@z:y', false, '$2']],
  );
});
