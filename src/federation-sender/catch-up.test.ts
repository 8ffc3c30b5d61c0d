import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCatchUp } from './catch-up.ts';
import { Destination, isEvent, type EventItem } from './destination.ts';
import { caughtUpEventsPerRoom, queuedItemsMax } from './limits.ts';
import type { OwnEvent } from './store/own-events.ts';

const them = 'them.test';

/** Rooms with own events at positions, in all of which the server is all the time. */
function catchUpOf(rooms: ReadonlyMap<number, readonly number[]>) {
  const within = (roomNid: number, afterPos: number, uptoPos: number) =>
    (rooms.get(roomNid) ?? []).filter((pos) => pos > afterPos && pos <= uptoPos);
  const asked: number[][] = [];
  const catchUp = createCatchUp({
    events: {
      rooms: async (_name, afterRoom, [afterPos, uptoPos], limit) =>
        [...rooms.keys()]
          .filter((nid) => nid > afterRoom && within(nid, afterPos, uptoPos).length > 0)
          .toSorted((a, b) => a - b)
          .slice(0, limit),
      async events(parts, uptoPos, limit) {
        asked.push(parts.map(({ roomNid }) => roomNid));
        return parts.flatMap(({ roomNid, afterPos }) =>
          within(roomNid, afterPos, uptoPos)
            .slice(0, limit)
            .map((pos): OwnEvent => ({
              pos,
              roomNid,
              eventNid: pos,
              memberId: null,
              origin: null,
            })),
        );
      },
      floors: async (roomNids, [afterPos, uptoPos], count) =>
        roomNids.flatMap((roomNid) => {
          const pos = within(roomNid, afterPos, uptoPos).at(-count);
          return pos === undefined ? [] : { roomNid, pos };
        }),
      spans: async (_name, roomNids) =>
        roomNids.map((roomNid) => ({ roomNid, fromPos: 0, toPos: Infinity })),
    },
    devices: { changes: async () => [] },
    servers: { joined: async () => new Map() },
  });
  return { catchUp, asked };
}

function behindSince(pos: number): Destination {
  const destination = new Destination(them, 0);
  destination.fallBehind(pos);
  return destination;
}

/** Everything that the server gets; `each` is called after each transaction. */
async function sendAll(
  { catchUp }: ReturnType<typeof catchUpOf>,
  destination: Destination,
  position: () => number,
  each: () => void = () => undefined,
): Promise<EventItem[]> {
  const sent: EventItem[] = [];
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const items = await catchUp.next(destination, position);
    if (items.length === 0) return sent;
    sent.push(...items.filter(isEvent));
    catchUp.sent(destination, items.length);
    each();
  }
}

const positions = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i);
const inRoom = (sent: readonly EventItem[], roomNid: number) =>
  sent.filter((item) => item.roomNid === roomNid).map(({ pos }) => pos);

test('everything after a position, each room in its order', async () => {
  const rooms = new Map(positions(25).map((nid) => [nid, positions(450, nid * 1_000)]));
  const world = catchUpOf(rooms);
  const destination = behindSince(1_100);
  const sent = await sendAll(world, destination, () => 25_449);
  for (const [nid, own] of rooms) {
    assert.deepEqual(
      inRoom(sent, nid),
      own.filter((pos) => pos > 1_100),
    );
  }
  assert.equal(destination.behind, null);
  assert.ok(world.asked.every((roomNids) => roomNids.length <= 10));
});

test('of very many events of a room the newest', async () => {
  const own = positions(caughtUpEventsPerRoom + 70);
  const world = catchUpOf(new Map([[1, own]]));
  const sent = await sendAll(world, behindSince(0), () => own.length);
  assert.deepEqual(inRoom(sent, 1), own.slice(70));
});

test('what comes meanwhile follows; when it is too much, in another round', async () => {
  const own = positions(10);
  const world = catchUpOf(new Map([[1, own]]));
  let destination = behindSince(0);
  let sent = await sendAll(
    world,
    destination,
    () => 10,
    () => destination.add({ pos: 11, roomNid: 1, eventNid: 11 }, false),
  );
  assert.deepEqual(inRoom(sent, 1), own);
  assert.equal(destination.behind, null);
  assert.deepEqual(
    destination.queue.map(({ pos }) => pos),
    [11],
  );

  destination = behindSince(0);
  let position = 10;
  sent = await sendAll(
    world,
    destination,
    () => position,
    () => {
      if (position > 10) return;
      for (let i = 0; i <= queuedItemsMax; i++) {
        own.push(++position);
        destination.add({ pos: position, roomNid: 1, eventNid: position }, false);
      }
      assert.equal(destination.queue.length, 0, 'memory is bounded');
    },
  );
  assert.deepEqual(inRoom(sent, 1), positions(position));
});

test('whoever goes on after another process begins with the rooms that are not done', async () => {
  const rooms = new Map(positions(40).map((nid) => [nid, [nid]]));
  const world = catchUpOf(rooms);
  const first = behindSince(0);
  const items = await world.catchUp.next(first, () => 40);
  world.catchUp.sent(first, items.length);
  await world.catchUp.next(first, () => 40);
  assert.deepEqual(first.behind, { pos: 0, round: { toPos: 40, room: 10 } });

  rooms.set(41, [41]);
  const second = new Destination(them, 0);
  second.goOn(structuredClone(first.behind));
  const sent = await sendAll(world, second, () => 41);
  assert.deepEqual(
    sent.map(({ roomNid }) => roomNid),
    positions(31, 11),
  );
});

test('a server that is left alone has nothing in memory', () => {
  const destination = new Destination(them, 0);
  destination.add({ pos: 5, roomNid: 1, eventNid: 5 }, true);
  destination.add({ pos: 6, roomNid: 1, eventNid: 6 }, true);
  assert.deepEqual([destination.behind, destination.queue], [{ pos: 4, round: null }, []]);
});
