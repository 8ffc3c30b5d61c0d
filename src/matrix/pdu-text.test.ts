import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinPdu } from './event-builder.ts';
import { redactPdu } from './event-format.ts';
import type { JsonObject, Pdu } from './pdu.ts';
import { canonicalFor, PduText } from './pdu-text.ts';
import { knownRoomVersions, roomVersion } from './room-versions.ts';

const pdu = {
  type: 'm.room.member',
  state_key: '@a:b',
  sender: '@a:b',
  room_id: '!r:b',
  content: { membership: 'join', displayname: 'A', '\u{1F600}': 1, '\uFF00': 2 },
  depth: 3,
  origin_server_ts: 5,
  prev_events: ['$p'],
  auth_events: ['$a'],
  hashes: { sha256: 'x' },
  signatures: { b: { 'ed25519:1': 's' } },
  origin: 'b',
  a_member_before: { 'of others': true },
  zz_member_after: [1, 2],
  unsigned: { age: 4 },
} as unknown as Pdu;

const without = (object: JsonObject, names: readonly string[]) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

test('all texts of an event are those of the objects that they stand for', () => {
  const source = pdu as unknown as JsonObject;
  for (const id of knownRoomVersions) {
    const version = roomVersion(id);
    const text = new PduText(version, pdu);
    const whole = canonicalFor(version, without(source, ['unsigned']));
    assert.equal(text.bytes(), Buffer.byteLength(whole));
    const hashed = without(source, ['unsigned', 'hashes', 'signatures']);
    assert.equal(text.hashed(), canonicalFor(version, hashed));
    const redacted = redactPdu(version, pdu) as unknown as JsonObject;
    assert.equal(text.signable(), canonicalFor(version, without(redacted, ['signatures'])));
    const { content, envelope, contentAt } = text.split();
    assert.equal(content, canonicalFor(version, pdu.content));
    assert.equal(envelope, canonicalFor(version, without(source, ['unsigned', 'content'])));
    assert.equal(joinPdu(envelope, contentAt, content), whole);
  }
});

test('the content may come first', () => {
  const version = roomVersion('12');
  const { content, envelope, contentAt } = new PduText(version, {
    type: 't',
    content: { a: 1 },
  } as unknown as Pdu).split();
  assert.equal(joinPdu(envelope, contentAt, content), '{"content":{"a":1},"type":"t"}');
});
