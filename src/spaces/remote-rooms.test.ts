import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FederationError } from '../federation-client/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { createRemoteRooms } from './remote-rooms.ts';

/** Rooms as servers answer; those without an answer refuse. */
function roomsBy(answers: Record<string, JsonObject>) {
  const asked: string[] = [];
  const questions = {
    async ask(destination: string) {
      asked.push(destination);
      const answer = answers[destination];
      if (answer) return answer;
      throw new FederationError('refused', destination, 'no', {
        answer: { status: 404, body: null },
      });
    },
  };
  return { asked, find: createRemoteRooms(questions, 'us.example').find };
}

const room = { room_id: '!a', num_joined_members: 3, join_rule: 'knock', world_readable: false };
const empty = { children: [], inaccessible_children: [] };

test('the first server that knows is believed; this one, names that are none and the fourth are not asked', async () => {
  const answers = {
    'b.example': { room: { ...room, room_id: '!other' } },
    'c.example': { room, ...empty },
  };
  const { asked, find } = roomsBy(answers);
  const via = ['no name', 'us.example', 'a.example', 'a.example', 'b.example', 'c.example'];
  assert.equal((await find('!a', via))!.room.join_rule, 'knock');
  assert.deepEqual(asked, ['a.example', 'b.example', 'c.example']);
  asked.length = 0;
  assert.equal(await find('!a', ['d.example', 'e.example', 'f.example', 'c.example']), null);
  assert.deepEqual(asked, ['d.example', 'e.example', 'f.example']);
});

test('what is not as specified is left out, and so is what is told of rooms elsewhere', async () => {
  const child = {
    type: 'm.space.child',
    sender: '@a:a',
    origin_server_ts: 1,
    content: { via: [] },
  };
  const { find } = roomsBy({
    'b.example': {
      room: {
        ...room,
        name: 7,
        topic: 'topic',
        guest_can_join: 'yes',
        allowed_room_ids: ['!x', 7],
        children_state: [
          { ...child, state_key: '!b' },
          { ...child, state_key: '!c', content: [] },
          { ...child, state_key: '!d', type: 'm.other' },
          { ...child, state_key: '!e' },
          7,
        ],
      },
      children: [{ room_id: '!b' }, { room_id: '!elsewhere' }, {}, null],
      inaccessible_children: ['!e', '!elsewhere', 7],
    },
  });
  const found = (await find('!a', ['b.example']))!;
  assert.deepEqual(found.room, {
    room_id: '!a',
    num_joined_members: 3,
    join_rule: 'knock',
    world_readable: false,
    guest_can_join: false,
    topic: 'topic',
    allowed_room_ids: ['!x'],
  });
  assert.deepEqual(
    found.children.map(({ stateKey }) => stateKey),
    ['!b', '!e'],
  );
  assert.deepEqual([...found.described.keys()], ['!b']);
  assert.equal(found.described.get('!b')!.join_rule, 'public');
  assert.deepEqual([...found.inaccessible], ['!e']);
});
