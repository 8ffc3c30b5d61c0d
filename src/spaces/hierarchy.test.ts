import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { walk } from './hierarchy.ts';
import type { DescribedRow } from './store/spaces.ts';

type Child = [roomId: string, order?: string, ts?: number];

const space = (roomId: string, children: Child[]): DescribedRow => ({
  roomNid: 1,
  roomId,
  roomVersion: '11',
  joinedCount: 1,
  membership: 'join',
  state: { 'm.room.create': '{"type":"m.space"}' },
  children: children.map(([stateKey, order, originServerTs = 0]) => ({
    stateKey,
    content: JSON.stringify({ via: ['a'], ...(order === undefined ? {} : { order }) }),
    sender: '@a:a',
    originServerTs,
  })),
});

const walked = (rows: DescribedRow[], depthMax = 20, hidden: readonly string[] = []) => {
  const byId = new Map(rows.map((row) => [row.roomId, row]));
  const options = {
    suggestedOnly: false,
    depthMax,
    mayKnow: ({ roomId }: DescribedRow) => !hidden.includes(roomId),
  };
  return [...walk(byId, rows[0]!.roomId, options)].map((room) => room.room_id);
};

test('children come by order, then time, then id; an order that is not valid counts for nothing', () => {
  const children: Child[] = [
    ['d', undefined, 2],
    ['e', undefined, 1],
    ['f', undefined, 1],
    ['c', 'b'],
    ['b', 'a'],
    ['a', 'é', 3],
  ];
  const rooms = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => space(id, []));
  assert.deepEqual(walked([space('root', children), ...rooms]), [
    'root',
    'b',
    'c',
    'e',
    'f',
    'd',
    'a',
  ]);
});

test('hidden rooms end the walk there; so does the depth', () => {
  const rows = [space('root', [['a'], ['c']]), space('a', [['b']]), space('b', []), space('c', [])];
  assert.deepEqual(walked(rows), ['root', 'a', 'b', 'c']);
  assert.deepEqual(walked(rows, 1), ['root', 'a', 'c']);
  assert.deepEqual(walked(rows, 20, ['a']), ['root', 'c']);
});

test('whatever the links, the walk ends and shows no room twice', () => {
  const ids = fc.integer({ min: 0, max: 7 });
  fc.assert(
    fc.property(
      fc.array(fc.array(ids, { maxLength: 6 }), { minLength: 8, maxLength: 8 }),
      (links) => {
        const rows = links.map((to, i) =>
          space(
            `${i}`,
            to.map((id): Child => [`${id}`]),
          ),
        );
        const found = walked(rows);
        assert.equal(new Set(found).size, found.length);
        assert.equal(found[0], '0');
      },
    ),
  );
});
