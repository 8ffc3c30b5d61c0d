import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../matrix/pdu.ts';
import { roomVersion } from '../../matrix/room-versions.ts';
import { RoomHead } from './head.ts';

function emptyHead(): RoomHead {
  const room = { roomNid: 1, roomId: '!a:x', joinedCount: 0, invitedCount: 0, isBlocked: false };
  return new RoomHead({ ...room, roomVersion: '11' }, roomVersion('11'), true, null);
}

function setState(head: RoomHead, type: string, stateKey: string, content: JsonObject): void {
  const pdu = {
    room_id: '!a:x',
    sender: '@a:x',
    type,
    state_key: stateKey,
    content,
    origin_server_ts: 0,
    depth: 1,
    prev_events: [],
    auth_events: [],
    hashes: { sha256: '' },
    signatures: {},
  };
  head.set({ eventId: `$${type}${stateKey}`, pdu, content: JSON.stringify(content) });
}

test('that a policy server has nobody in the room is forgotten when somebody of it comes', () => {
  const head = emptyHead();
  setState(head, 'm.room.policy', '', { via: 'y' });
  head.policyMember = null;
  // Members are loaded as they speak: in a large room the others would be looked through each time.
  setState(head, 'm.room.member', '@b:x', { membership: 'join' });
  setState(head, 'm.room.member', '@c:other.y', { membership: 'join' });
  assert.equal(head.policyMember, null);
  setState(head, 'm.room.member', '@d:y', { membership: 'join' });
  assert.equal(head.policyMember, undefined);
  head.policyMember = '@d:y';
  setState(head, 'm.room.member', '@e:y', { membership: 'join' });
  assert.equal(head.policyMember, '@d:y');
  setState(head, 'm.room.policy', '', { via: 'z' });
  assert.equal(head.policyMember, undefined);
});
