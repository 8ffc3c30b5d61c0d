import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { roomVersion } from '../../matrix/room-versions.ts';
import { eventOf, users } from '../../matrix/state-resolution/test-rooms.ts';
import { keyOf } from '../../matrix/state-resolution/types.ts';
import { createEventReader } from '../recover-events.ts';
import { createEventStreamStore } from '../store/read-stream.ts';
import { createStateStore } from '../store/read-state.ts';
import type { EventRow } from '../streams.ts';
import { openTestRooms, sorted, TwinRoom, type TestRooms } from './test-twin-room.ts';

let rooms: TestRooms;
before(async () => {
  rooms = await openTestRooms();
});
after(() => rooms.close());

interface Move {
  actor: number;
  action: number;
  target: number;
  level: number;
  /** Which of the newest events it follows; none: our own server's event, at the end of the room. */
  after: number[];
  ms: number;
}

const move: fc.Arbitrary<Move> = fc.record({
  actor: fc.nat(3),
  action: fc.nat(10),
  target: fc.nat(3),
  level: fc.nat(4),
  after: fc.oneof(
    { weight: 1, arbitrary: fc.constant<number[]>([]) },
    { weight: 3, arbitrary: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 3 }) },
  ),
  ms: fc.nat(2),
});

async function make(room: TwinRoom, one: Move): Promise<void> {
  const { actor, action, target, level, after: places, ms } = one;
  const what =
    action > 8
      ? { type: 'm.room.message', content: { body: `${level}` } }
      : eventOf({ actor, action, target, level });
  if (places.length === 0) return room.append(users[actor % 2]!, what);
  const ids = [...room.literal.events.keys()];
  const prevIds = new Set(places.map((back) => ids.at(-1 - (back % ids.length))!));
  return room.receive(room.build(users[actor]!, what, [...prevIds], ms));
}

/** What readers of the stream make of the state, by what the rows say of it. */
async function followState(roomId: string, rows: readonly { pos: number; row: EventRow }[]) {
  const store = createStateStore(rooms.database);
  const state = new Map<string, string>();
  const members = new Map<string, string>();
  let roomNid = 0;
  for (const { pos, row } of rows) {
    if (row.roomId !== roomId) continue;
    const { event } = row;
    ({ roomNid } = event);
    const keys =
      row.changed ?? (event.stateKey === null ? [] : [[event.type, event.stateKey] as const]);
    for (const [type, key] of keys) state.delete(keyOf(type, key));
    // oxlint-disable-next-line no-await-in-loop
    for (const entry of keys.length > 0 ? await store.entries(roomNid, keys, pos) : []) {
      state.set(keyOf(entry.type, entry.stateKey!), entry.eventId);
    }
    for (const { userId, from, to } of row.memberships) {
      assert.equal(members.get(userId) ?? 'leave', from);
      members.set(userId, to);
    }
  }
  return { state, members };
}

for (const id of ['1', '6', '10', '12']) {
  test(`room version ${id}: forks lead to the states that the specification says`, async () => {
    const version = roomVersion(id);
    const moves = fc.array(move, { minLength: 4, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(moves, fc.nat(24), async (made, restartAt) => {
        const room = await TwinRoom.create(rooms, version);
        for (const [i, one] of made.entries()) {
          if (i === restartAt) room.writer = rooms.freshWriter();
          // oxlint-disable-next-line no-await-in-loop
          await make(room, one);
        }
        await room.check();
        const current = sorted(room.literal.current());
        const rows = rooms.published.filter(({ row }) => row.roomId === room.roomId);
        const followed = await followState(room.roomId, rows);
        assert.deepEqual(sorted(followed.state), current);
        const read = createEventReader(createEventStreamStore(rooms.database));
        const again = (await read(rows[0]!.pos - 1, rows.at(-1)!.pos)).filter(
          ({ row }) => row.roomId === room.roomId,
        );
        const essence = ({ pos, row }: { pos: number; row: EventRow }) => ({
          pos,
          eventId: row.event.eventId,
          isForked: row.event.isForked,
          changed: row.changed?.toSorted() ?? null,
          memberships: row.memberships.toSorted((a, b) => (a.userId < b.userId ? -1 : 1)),
        });
        assert.deepEqual(again.map(essence), rows.map(essence));
        rooms.published.length = 0;
      }),
      { numRuns: Number(process.env['LATTICE_FORK_RUNS'] ?? 15) },
    );
  });
}
