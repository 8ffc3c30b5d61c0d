import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pdu } from '../pdu.ts';
import { checkAuthorised, NotAuthorised } from '../auth-rules.ts';
import { roomVersion } from '../room-versions.ts';
import { ownerOf } from './owned-state.ts';

test('the owner of a state key is the user id that it begins with', () => {
  const cases: [string, string | null][] = [
    ['@a:x', '@a:x'],
    ['@a:x.org:8448', '@a:x.org:8448'],
    ['@a:x_', '@a:x'],
    ['@a_b:x_c:d_e', '@a_b:x'],
    ['@a', null],
    ['@a_b', null],
    ['@:', null],
    ['@a:x@b', null],
  ];
  for (const [key, owner] of cases) assert.equal(ownerOf(key), owner, key);
});

test('the owner sets owned state, and who has more power', () => {
  const base = {
    room_id: '!r:x',
    content: {},
    origin_server_ts: 1,
    depth: 1,
    prev_events: [],
    auth_events: [],
    hashes: { sha256: '' },
    signatures: {},
  };
  const entry = (type: string, stateKey: string, content: Pdu['content']): Pdu => ({
    ...base,
    type,
    sender: '@admin:x',
    state_key: stateKey,
    content,
  });
  const levels = { users: { '@admin:x': 100 }, state_default: 0 };
  const state = new Map(
    [
      entry('m.room.create', '', { creator: '@admin:x' }),
      entry('m.room.power_levels', '', levels),
      ...['@admin:x', '@a:x', '@b:x'].map((id) =>
        entry('m.room.member', id, { membership: 'join' }),
      ),
    ].map((pdu) => [`${pdu.type} ${pdu.state_key}`, { eventId: '$', pdu }]),
  );
  const allows = (version: string, sender: string, stateKey: string) => {
    const pdu = { ...entry('com.example', stateKey, {}), sender };
    try {
      checkAuthorised(roomVersion(version), pdu, {
        get: (type, key) => state.get(`${type} ${key}`),
      });
      return true;
    } catch (error) {
      assert.ok(error instanceof NotAuthorised);
      return false;
    }
  };
  const cases: [sender: string, stateKey: string, old: boolean, owned: boolean][] = [
    ['@a:x', '@a:x', true, true],
    ['@a:x', '@a:x_more', false, true],
    ['@a:x', '@b:x', false, false],
    ['@a:x', '@b:x_more', false, false],
    ['@a:x', '@a:xmore', false, false],
    ['@admin:x', '@b:x_more', false, true],
    ['@admin:x', '@nobody', false, false],
    ['@a:x', 'no user', true, true],
  ];
  for (const [sender, key, old, owned] of cases) {
    assert.equal(allows('10', sender, key), old, `${sender} ${key}`);
    assert.equal(allows('org.matrix.msc3757.10', sender, key), owned, `${sender} ${key}, owned`);
  }
});
