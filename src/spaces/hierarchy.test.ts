import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { walk, type TreeRoom } from './hierarchy.ts';

type Child = [roomId: string, order?: string, ts?: number];

const space = (roomId: string, children: Child[]): TreeRoom => ({
  description: {
    room_id: roomId,
    room_type: 'm.space',
    num_joined_members: 1,
    world_readable: false,
    guest_can_join: false,
    join_rule: 'public',
  },
  children: children.map(([stateKey, order, originServerTs = 0]) => ({
    stateKey,
    content: JSON.stringify({ via: ['a'], ...(order === undefined ? {} : { order }) }),
    sender: '@a:a',
    originServerTs,
  })),
});

async function walked(rooms: TreeRoom[], depthMax = 20, hidden: readonly string[] = []) {
  const byId = new Map(rooms.map((room) => [room.description.room_id, room]));
  const root = { roomId: rooms[0]!.description.room_id, via: [], depth: 0 };
  const find = ({ roomId }: { roomId: string }) =>
    hidden.includes(roomId) ? null : (byId.get(roomId) ?? null);
  const found: string[] = [];
  const options = { suggestedOnly: false, depthMax, find };
  for await (const room of walk(root, options)) found.push(room.room_id);
  return found;
}

test('children come by order, then time, then id; an order that is not valid counts for nothing', async () => {
  const children: Child[] = [
    ['d', undefined, 2],
    ['e', undefined, 1],
    ['f', undefined, 1],
    ['c', 'b'],
    ['b', 'a'],
    ['a', 'é', 3],
  ];
  const rooms = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => space(id, []));
  assert.deepEqual(await walked([space('root', children), ...rooms]), [
    'root',
    'b',
    'c',
    'e',
    'f',
    'd',
    'a',
  ]);
});

test('hidden rooms end the walk there; so does the depth', async () => {
  const rows = [space('root', [['a'], ['c']]), space('a', [['b']]), space('b', []), space('c', [])];
  assert.deepEqual(await walked(rows), ['root', 'a', 'b', 'c']);
  assert.deepEqual(await walked(rows, 1), ['root', 'a', 'c']);
  assert.deepEqual(await walked(rows, 20, ['a']), ['root', 'c']);
});

test('whatever the links, the walk ends and shows no room twice', async () => {
  const ids = fc.integer({ min: 0, max: 7 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(ids, { maxLength: 6 }), { minLength: 8, maxLength: 8 }),
      async (links) => {
        const rows = links.map((to, i) =>
          space(
            `${i}`,
            to.map((id): Child => [`${id}`]),
          ),
        );
        const found = await walked(rows);
        assert.equal(new Set(found).size, found.length);
        assert.equal(found[0], '0');
      },
    ),
  );
});

test('what comes after a room is told when the room is looked for, the last one first', async () => {
  const upcoming: string[][] = [];
  const rooms = [space('root', [['a'], ['b'], ['c']]), space('a', []), space('c', [])];
  const byId = new Map(rooms.map((room) => [room.description.room_id, room]));
  const root = { roomId: 'root', via: [], depth: 0 };
  const given: string[] = [];
  const options = {
    suggestedOnly: false,
    depthMax: 1,
    async find({ roomId }: { roomId: string }, rest: readonly { roomId: string }[]) {
      upcoming.push(rest.map((one) => one.roomId));
      return byId.get(roomId) ?? null;
    },
  };
  for await (const room of walk(root, options)) given.push(room.room_id);
  assert.deepEqual(given, ['root', 'a', 'c']);
  assert.deepEqual(upcoming, [[], ['c', 'b'], ['c'], []]);
});
