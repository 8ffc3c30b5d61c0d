import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hierarchyForServer } from './hierarchy-for-servers.ts';
import type { DescribedRow, SpaceStore } from './store/spaces.ts';

const joinRules = (content: object) => ({ 'm.room.join_rules': JSON.stringify(content) });
const allowing = (...roomIds: string[]) =>
  joinRules({
    join_rule: 'restricted',
    allow: roomIds.map((roomId) => ({ type: 'm.room_membership', room_id: roomId })),
  });

/** Rooms by number; the first is a space with all others in it. */
const states = [
  { ...joinRules({ join_rule: 'public' }), 'm.room.create': '{"type":"m.space"}' },
  joinRules({ join_rule: 'invite' }),
  joinRules({ join_rule: 'invite' }),
  joinRules({ join_rule: 'invite' }),
  allowing('!5'),
  allowing('!1', '!elsewhere'),
  joinRules({ join_rule: 'knock' }),
];
const rows = states.map((state, roomNid): DescribedRow => {
  const roomId = `!${roomNid}`;
  const child = (_: unknown, i: number) => ({
    stateKey: `!${i}`,
    content: '{"via":["a"]}',
    sender: '@a:a',
    originServerTs: i,
  });
  const children = roomNid === 0 ? states.map(child).slice(1) : null;
  return { roomNid, roomId, roomVersion: '11', joinedCount: 1, membership: null, state, children };
});

test('a server may know rooms that its users are in, invited to, or allowed into', async () => {
  const store = {
    roomNid: async () => 0,
    tree: async () => rows.map(({ roomNid }) => roomNid),
    described: async () => rows,
    roomNids: async (roomIds: string[]) => rows.filter(({ roomId }) => roomIds.includes(roomId)),
    invitedServer: async (nids: number[], name: string) =>
      nids.filter((nid) => nid === 2 && name === 'them.example'),
  } as unknown as SpaceStore;
  const servers = {
    joined: async (nids: readonly number[]) =>
      new Map(nids.map((nid) => [nid, new Map(nid === 1 ? [['them.example', 1]] : [])])),
    isJoined: async () => false,
  };
  const ask = (origin: string) =>
    hierarchyForServer({ rooms: { servers }, store }, origin, {
      roomId: '!0',
      suggestedOnly: false,
    });
  const theirs = await ask('them.example');
  assert.deepEqual(
    theirs.children.map((child) => child.room_id),
    ['!1', '!2', '!5', '!6'],
  );
  assert.deepEqual(theirs.children[2]!.allowed_room_ids, ['!1', '!elsewhere']);
  assert.deepEqual(theirs.inaccessible_children, ['!3', '!4']);
  const others = await ask('others.example');
  assert.deepEqual(
    others.children.map((child) => child.room_id),
    ['!6'],
  );
});
