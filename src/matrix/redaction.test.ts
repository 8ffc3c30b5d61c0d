import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from './pdu.ts';
import { redactContent } from './redaction.ts';
import { knownRoomVersions, roomVersion } from './room-versions.ts';

const signed = { mxid: '@a:b', token: 't' };
const invite = { display_name: 'A', signed };
const full: Record<string, JsonObject> = {
  'm.room.member': {
    membership: 'join',
    displayname: 'A',
    join_authorised_via_users_server: '@b:c',
    third_party_invite: invite,
  },
  'm.room.create': { creator: '@a:b', room_version: '1', 'm.federate': false },
  'm.room.join_rules': { join_rule: 'restricted', allow: [], other: 1 },
  'm.room.power_levels': {
    ban: 1,
    events: { a: 1 },
    events_default: 1,
    invite: 1,
    kick: 1,
    notifications: { room: 1 },
    redact: 1,
    state_default: 1,
    users: { '@a:b': 1 },
    users_default: 1,
  },
  'm.room.history_visibility': { history_visibility: 'shared', other: 1 },
  'm.room.aliases': { aliases: ['#a:b'], other: 1 },
  'm.room.redaction': { redacts: '$a', reason: 'r' },
  'm.room.message': { body: 'a', msgtype: 'm.text', membership: 'join', creator: '@a:b' },
};

function pick(type: string, ...keys: string[]): JsonObject {
  return Object.fromEntries(keys.map((key) => [key, full[type]![key]!]));
}

const levels = ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users'];

/** What remains in a version, by "Redactions" of the specification's room versions. */
function expected(version: number, type: string): JsonObject {
  switch (type) {
    case 'm.room.member': {
      if (version < 9) return pick(type, 'membership');
      const kept = pick(type, 'membership', 'join_authorised_via_users_server');
      return version < 11 ? kept : { ...kept, third_party_invite: { signed } };
    }
    case 'm.room.create':
      return version < 11 ? pick(type, 'creator') : full[type]!;
    case 'm.room.join_rules':
      return version < 8 ? pick(type, 'join_rule') : pick(type, 'join_rule', 'allow');
    case 'm.room.power_levels':
      return pick(type, ...levels, 'users_default', ...(version < 11 ? [] : ['invite']));
    case 'm.room.history_visibility':
      return pick(type, 'history_visibility');
    case 'm.room.aliases':
      return version < 6 ? pick(type, 'aliases') : {};
    case 'm.room.redaction':
      return version < 11 ? {} : pick(type, 'redacts');
    default:
      return {};
  }
}

test('what remains of each content in each room version', () => {
  for (const id of knownRoomVersions) {
    for (const [type, content] of Object.entries(full)) {
      const kept = redactContent(roomVersion(id), type, content);
      assert.deepEqual(kept, expected(Number(id), type), `${type} in ${id}`);
    }
  }
});

test('a member that is absent is not made up; null is a value', () => {
  const v10 = roomVersion('10');
  assert.deepEqual(redactContent(v10, 'm.room.member', { displayname: 'A' }), {});
  assert.deepEqual(redactContent(v10, 'm.room.member', { membership: null }), { membership: null });
});

test('a third_party_invite that is no object goes', () => {
  for (const third_party_invite of ['a', null, [1], 1]) {
    assert.deepEqual(redactContent(roomVersion('11'), 'm.room.member', { third_party_invite }), {});
  }
});

test('an invite with nothing signed leaves an empty object', () => {
  const content = { third_party_invite: { display_name: 'A' } };
  const kept = redactContent(roomVersion('11'), 'm.room.member', content);
  assert.deepEqual(kept, { third_party_invite: {} });
  assert.deepEqual(redactContent(roomVersion('10'), 'm.room.member', content), {});
});
