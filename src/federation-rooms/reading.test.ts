import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { redactPdu } from '../matrix/event-format.ts';
import { serverNameOf } from '../matrix/ids.ts';
import { referencedIds, type JsonObject } from '../matrix/pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { authChain } from '../matrix/state-resolution/auth-chain.ts';
import { eventOf, users } from '../matrix/state-resolution/test-rooms.ts';
import { keyOf } from '../matrix/state-resolution/types.ts';
import type { State } from '../rooms/writer/test-literal-room.ts';
import { openTestRooms, TwinRoom, type TestRooms } from '../rooms/writer/test-twin-room.ts';
import { createIdOf } from './auth-chains.ts';
import { placeBefore, type FederationRooms, type PlacedEvent, type RoomRow } from './module.ts';
import { readingOf } from './test-reading.ts';

// Random rooms with forks, held against a twin that keeps every state of every event.

let rooms: TestRooms;
let reading: FederationRooms;
before(async () => {
  rooms = await openTestRooms();
  reading = readingOf(rooms);
});
after(() => rooms.close());

interface Move {
  actor: number;
  action: number;
  target: number;
  level: number;
  after: number[];
}

const move: fc.Arbitrary<Move> = fc.record({
  actor: fc.nat(3),
  action: fc.nat(14),
  target: fc.nat(3),
  level: fc.nat(3),
  after: fc.oneof(
    { weight: 1, arbitrary: fc.constant<number[]>([]) },
    { weight: 2, arbitrary: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }) },
  ),
});

const visibilities = ['joined', 'invited', 'shared', 'world_readable'];

function wishOf({ actor, action, target, level }: Move) {
  // So that one sees whether it has been redacted.
  const note = { note: 'hidden?' };
  if (action > 12) return { type: 'm.room.message', content: { body: 'hello', ...note } };
  if (action > 8) {
    const content = { history_visibility: visibilities[level]!, ...note };
    return { type: 'm.room.history_visibility', stateKey: '', content };
  }
  const wish = eventOf({ actor, action, target, level });
  return { ...wish, content: { ...wish.content, ...note } };
}

async function make(room: TwinRoom, one: Move): Promise<void> {
  const sender = users[one.actor]!;
  if (one.after.length === 0) return room.append(users[one.actor % 2]!, wishOf(one));
  const ids = [...room.literal.events.keys()];
  const prevIds = new Set(one.after.map((back) => ids.at(-1 - (back % ids.length))!));
  return room.receive(room.build(sender, wishOf(one), [...prevIds]));
}

/** Whether a server may see what happens in a state. */
function allows(room: TwinRoom, state: State, server: string): boolean {
  const contentOf = (id: string) => room.literal.events.get(id)!.pdu.content;
  const visibilityId = state.get(keyOf('m.room.history_visibility', ''));
  const visibility = visibilityId ? contentOf(visibilityId)['history_visibility'] : 'shared';
  if (visibility === 'shared' || visibility === 'world_readable') return true;
  return users
    .filter((userId) => serverNameOf(userId) === server)
    .some((userId) => {
      const id = state.get(keyOf('m.room.member', userId));
      const membership = id && contentOf(id)['membership'];
      return membership === 'join' || (visibility === 'invited' && membership === 'invite');
    });
}

function isShown(room: TwinRoom, id: string, server: string): boolean {
  const { pdu, before: stateBefore, after: stateAfter } = room.literal.events.get(id)!;
  if (allows(room, stateAfter, server)) return true;
  const { type, state_key: key } = pdu;
  const isTurn =
    (type === 'm.room.history_visibility' && key === '') ||
    (type === 'm.room.member' && key !== undefined && serverNameOf(key) === server);
  return isTurn && allows(room, stateBefore, server);
}

async function checkView(room: TwinRoom, row: RoomRow, events: readonly PlacedEvent[]) {
  const { version, events: known } = room.literal;
  for (const server of ['x', 'y', 'z']) {
    // oxlint-disable-next-line no-await-in-loop
    const pdus = await reading.view.pdus(row, server, events);
    for (const [i, { eventId }] of events.entries()) {
      const { pdu } = known.get(eventId)!;
      const expected = isShown(room, eventId, server) ? pdu : redactPdu(version, pdu);
      assert.deepEqual(JSON.parse(pdus[i]!), expected, `${eventId} for ${server}`);
    }
  }
}

async function checkStates(room: TwinRoom, row: RoomRow, events: readonly PlacedEvent[]) {
  const { events: known } = room.literal;
  const createId = createIdOf(row);
  const source = {
    get: (id: string) => {
      const pdu = known.get(id)?.pdu;
      if (!pdu || createId === null || id === createId) return pdu;
      return { ...pdu, auth_events: [...(pdu.auth_events as string[]), createId] };
    },
  };
  for (const event of events) {
    const { before: expected } = known.get(event.eventId)!;
    const ids = [...expected.values()];
    // oxlint-disable-next-line no-await-in-loop
    const nids = await reading.events.stateBefore(row.roomNid, event.eventNid, placeBefore(event)!);
    // oxlint-disable-next-line no-await-in-loop
    const found = await reading.authChains.of(row, nids);
    const entries = new Set(nids);
    const given = found.filter(({ eventNid }) => entries.has(eventNid));
    assert.deepEqual(given.map(({ eventId }) => eventId).toSorted(), ids.toSorted());
    const chain = found.filter(({ isInChain }) => isInChain).map(({ eventId }) => eventId);
    assert.deepEqual(chain.toSorted(), [...authChain(ids, source)].toSorted());
  }
}

/** How many steps back events are, those that were rejected among them; breadth-first. */
function distances(room: TwinRoom, from: readonly string[], stopBefore: readonly string[]) {
  const levels = new Map(from.map((id) => [id, 0]));
  for (const [id, level] of levels) {
    for (const prev of referencedIds(room.literal.events.get(id)!.pdu.prev_events)) {
      if (!levels.has(prev) && !stopBefore.includes(prev)) levels.set(prev, level + 1);
    }
  }
  return levels;
}

async function checkWalks(room: TwinRoom, row: RoomRow, events: readonly PlacedEvent[]) {
  const ids = events.map(({ eventId }) => eventId);
  const from = ids.slice(-2);
  const stopBefore = [ids[Math.floor(ids.length / 2)]!].filter((id) => !from.includes(id));
  const levels = distances(room, from, stopBefore);
  const isRejected = (id: string) => room.literal.events.get(id)!.isRejected;
  for (const [withStart, limit] of [
    [true, 100],
    [false, 100],
    [true, 3],
    [false, 4],
  ] as const) {
    const wanted = [...levels.keys()].filter(
      (id) => !isRejected(id) && (withStart || !from.includes(id)),
    );
    const options = { stopBefore, minDepth: 0, limit, withStart };
    // oxlint-disable-next-line no-await-in-loop
    const found = await reading.events.walkBack(row.roomNid, from, options);
    const given = found.map(({ eventId }) => eventId);
    assert.equal(given.length, Math.min(limit, wanted.length));
    assert.ok(given.every((id) => wanted.includes(id)));
    const farthest = Math.max(0, ...given.map((id) => levels.get(id)!));
    const left = wanted.filter((id) => !given.includes(id)).map((id) => levels.get(id)!);
    assert.ok(left.every((level) => level >= farthest));
  }
}

for (const id of ['1', '10', '12']) {
  test(`room version ${id}: states, auth chains, views and walks are as specified`, async () => {
    const version = roomVersion(id);
    const moves = fc.array(move, { minLength: 6, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(moves, async (made) => {
        const room = await TwinRoom.create(rooms, version);
        // oxlint-disable-next-line no-await-in-loop
        for (const one of made) await make(room, one);
        const row = (await reading.events.room(room.roomId))!;
        const ids = [...room.literal.events.keys()];
        const found = await Promise.all(ids.map((one) => reading.events.event(row.roomNid, one)));
        const events = found.map((event) => event!);
        await checkView(room, row, events);
        await checkStates(room, row, events);
        // What the first time has put into the index is the same.
        await checkStates(room, row, events);
        await checkWalks(room, row, events);
        rooms.published.length = 0;
      }),
      { numRuns: Number(process.env['LATTICE_FORK_RUNS'] ?? 10) },
    );
  });
}

test('what an erased user has sent goes to those who were there', async () => {
  const room = await TwinRoom.create(rooms, roomVersion('11'));
  const [alice = '', , carol = '', dan = ''] = users;
  const content: JsonObject = { body: 'secret' };
  await room.append(alice, { type: 'm.room.message', content });
  for (const target of [carol, dan]) {
    const leave = { type: 'm.room.member', stateKey: target, content: { membership: 'leave' } };
    // oxlint-disable-next-line no-await-in-loop
    await room.append(alice, leave);
  }
  await room.append(alice, { type: 'm.room.message', content });
  const row = (await reading.events.room(room.roomId))!;
  const start = room.literal.extremities;
  const options = { stopBefore: [], minDepth: 0, limit: 4, withStart: true };
  const events = await reading.events.walkBack(row.roomNid, start, options);
  const messages = events
    .filter(({ type }) => type === 'm.room.message')
    .toSorted((a, b) => a.depth - b.depth);
  const contents = async (view: FederationRooms, server: string) =>
    (await view.view.pdus(row, server, messages)).map((pdu) => JSON.parse(pdu).content);
  assert.deepEqual(await contents(reading, 'y'), [content, content]);
  const withErased = readingOf(rooms, new Set([messages[0]!.senderNid]));
  assert.deepEqual(await contents(withErased, 'y'), [content, {}]);
  assert.deepEqual(await contents(withErased, 'x'), [content, content]);
});
