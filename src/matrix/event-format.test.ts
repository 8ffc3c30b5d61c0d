import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contentHash,
  eventIdOf,
  checkPduFormat,
  redactPdu,
  referenceHash,
  roomIdOf,
  signableText,
} from './event-format.ts';
import type { JsonObject, Pdu } from './pdu.ts';
import { knownRoomVersions, roomVersion } from './room-versions.ts';
import { parseSigningKey } from './signing.ts';

const v10 = roomVersion('10');
const v12 = roomVersion('12');

/** Hashes worked out by the definitions of the specification with another language's libraries. */
const message: Pdu = {
  auth_events: ['$a', '$b'],
  content: { msgtype: 'm.text', body: 'Grüße 😀' },
  depth: 7,
  hashes: { sha256: '20QUtDAjlImc6koBtdvqTMuzUvReutCr3OBTKfUAPo4' },
  origin_server_ts: 1_700_000_000_000,
  prev_events: ['$c'],
  room_id: '!r:example.org',
  sender: '@alice:example.org',
  signatures: {},
  type: 'm.room.message',
};
const create: Pdu = {
  auth_events: [],
  content: { room_version: '12' },
  depth: 1,
  hashes: { sha256: 'ksIHpUTLAqMJ08CadfgV5Ok2rT07vMUFBo7XdGP8STE' },
  origin_server_ts: 1_700_000_000_000,
  prev_events: [],
  sender: '@alice:example.org',
  signatures: {},
  state_key: '',
  type: 'm.room.create',
};

test('content hashes', () => {
  assert.equal(contentHash(v10, message), message.hashes.sha256);
  assert.equal(contentHash(v12, create), create.hashes.sha256);
});

test('the second event of the specification’s vectors: hash and signature', () => {
  const event = {
    content: { body: 'Here is the message content' },
    event_id: '$0:domain',
    origin: 'domain',
    origin_server_ts: 1_000_000,
    type: 'm.room.message',
    room_id: '!r:domain',
    sender: '@u:domain',
    signatures: {},
    unsigned: { age_ts: 1_000_000 },
  } as unknown as Pdu;
  const v1 = roomVersion('1');
  const sha256 = contentHash(v1, event);
  assert.equal(sha256, 'onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g');
  const key = parseSigningKey('ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1');
  assert.equal(
    key.sign(Buffer.from(signableText(v1, { ...event, hashes: { sha256 } }))),
    'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA',
  );
});

test('event ids: the event’s own, or its reference hash in either alphabet', () => {
  assert.equal(eventIdOf(roomVersion('1'), { ...message, event_id: '$x:y' }), '$x:y');
  const hash = 'zKbg8P8p84Cqnt9Qw0j/z7BIjKPT2OTPfktlNVkeZcw';
  assert.equal(eventIdOf(roomVersion('3'), message), `$${hash}`);
  assert.equal(referenceHash(roomVersion('12'), message), hash);
  for (const id of ['4', '6', '10', '11', '12']) {
    assert.equal(eventIdOf(roomVersion(id), message), `$${hash.replaceAll('/', '_')}`);
  }
  assert.equal(eventIdOf(v12, create), '$37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c');
});

test('an id is of what a redaction leaves, without signatures and unsigned', () => {
  const id = eventIdOf(v12, message);
  const signatures = { 'example.org': { 'ed25519:1': 'x' } };
  assert.equal(eventIdOf(v12, { ...message, signatures, unsigned: { age: 1 } }), id);
  assert.equal(eventIdOf(v12, { ...message, content: {} }), id);
  assert.equal(eventIdOf(v12, redactPdu(v12, message)), id);
  assert.notEqual(eventIdOf(v12, { ...message, depth: 8 }), id);
  assert.notEqual(eventIdOf(v12, { ...message, hashes: { sha256: '' } }), id);
});

test('from version 12 on a create event names its room', () => {
  assert.equal(roomIdOf(v12, create), '!37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c');
  assert.equal(roomIdOf(v12, message), '!r:example.org');
  assert.equal(roomIdOf(v10, { ...create, room_id: '!r:example.org' }), '!r:example.org');
});

test('which members of an event survive its redaction', () => {
  const always = { ...message, state_key: 's', event_id: '$e:y', content: { body: 'a' } };
  const old = { origin: 'o', membership: 'join', prev_state: [] };
  const gone = { redacts: '$r', unsigned: { age: 1 }, other: 1 };
  const pdu = { ...always, ...old, ...gone } as unknown as Pdu;
  for (const id of knownRoomVersions) {
    const kept = { ...always, content: {}, ...(Number(id) < 11 ? old : {}) };
    assert.deepEqual(redactPdu(roomVersion(id), pdu), kept, id);
  }
  assert.equal(pdu.content['body'], 'a');
});

const explicit = (pdu: Pdu): Pdu => ({
  ...pdu,
  event_id: '$e:example.org',
  auth_events: pdu.auth_events.map((id) => [id as string, { sha256: 'x' }]),
  prev_events: pdu.prev_events.map((id) => [id as string, { sha256: 'x' }]),
});

test('good events have no fault', () => {
  assert.equal(checkPduFormat(roomVersion('1'), explicit(message)), null);
  for (const id of knownRoomVersions.slice(2)) {
    assert.equal(checkPduFormat(roomVersion(id), message), null, id);
  }
  assert.equal(checkPduFormat(v12, create), null);
  assert.equal(checkPduFormat(v10, { ...create, room_id: '!r:example.org' }), null);
});

const references = (count: number) => Array.from({ length: count }, (_, i) => `$${i}`);

test('what is wrong with an event is named', () => {
  const faults: [change: JsonObject, fault: RegExp][] = [
    [{ type: 1 }, /type/],
    [{ type: 'é'.repeat(256) }, /type/],
    [{ sender: 'alice' }, /sender/],
    [{ sender: `@${'a'.repeat(252)}:b.c` }, /sender/],
    [{ type: 'a\0' }, /type/],
    [{ state_key: 'a\0' }, /state_key/],
    [{ state_key: 1 }, /state_key/],
    [{ state_key: '💥'.repeat(256) }, /state_key/],
    [{ room_id: '#r:b' }, /room_id/],
    [{ room_id: `!${'a'.repeat(255)}` }, /room_id/],
    [{ depth: -1 }, /depth/],
    [{ depth: 2 ** 53 }, /depth/],
    [{ depth: '1' }, /depth/],
    [{ origin_server_ts: 1.5 }, /origin_server_ts/],
    [{ content: [] }, /content/],
    [{ hashes: null }, /hashes/],
    [{ signatures: [] }, /signatures/],
    [{ prev_events: references(21) }, /prev_events/],
    [{ auth_events: references(11) }, /auth_events/],
    [{ prev_events: ['a'] }, /prev_events/],
    [{ auth_events: {} }, /auth_events/],
    [{ prev_events: [['$a', { sha256: 'x' }]] }, /prev_events/],
    [{ content: { a: 1.5 } }, /integer/],
  ];
  for (const [change, fault] of faults) {
    const broken = { ...message, ...change };
    assert.match(checkPduFormat(v10, broken) ?? 'none', fault, JSON.stringify(change).slice(0, 80));
  }
  for (const value of [null, 1, 'a', []]) assert.match(checkPduFormat(v10, value) ?? '', /object/);
  for (const key of ['type', 'sender', 'room_id', 'depth', 'content', 'hashes', 'prev_events']) {
    const { [key]: _gone, ...rest } = message as unknown as JsonObject;
    assert.match(checkPduFormat(v10, rest) ?? 'none', new RegExp(key));
  }
});

test('rules that some versions have', () => {
  assert.match(checkPduFormat(v12, { ...create, room_id: '!r' }) ?? '', /room_id/);
  assert.match(checkPduFormat(v10, create) ?? '', /room_id/);
  const v1 = roomVersion('1');
  assert.match(checkPduFormat(v1, { ...explicit(message), event_id: undefined }) ?? '', /event_id/);
  assert.match(
    checkPduFormat(v1, { ...explicit(message), prev_events: ['$a'] }) ?? '',
    /prev_events/,
  );
  const named = { ...explicit(message), prev_events: [['a', { sha256: 'x' }]] };
  assert.match(checkPduFormat(v1, named) ?? '', /prev_events/);
  for (const change of [{ type: 'é'.repeat(255) }, { state_key: '💥'.repeat(255) }]) {
    assert.equal(checkPduFormat(v10, { ...message, ...change }), null);
    assert.match(
      checkPduFormat(roomVersion('11'), { ...message, ...change }) ?? '',
      /type|state_key/,
    );
  }
  const fractions = { ...message, content: { a: 1.5 } };
  assert.equal(checkPduFormat(roomVersion('5'), fractions), null);
  assert.notEqual(checkPduFormat(roomVersion('6'), fractions), null);
});

test('an event has at most 65,536 bytes of canonical JSON, unsigned aside', () => {
  const sized = (body: string) => ({ ...message, content: { body } });
  const rest = Buffer.byteLength(JSON.stringify(sized('')));
  const fits = sized('a'.repeat(65_536 - rest));
  assert.equal(checkPduFormat(v10, fits), null);
  assert.equal(checkPduFormat(v10, { ...fits, unsigned: { age: 1 } }), null);
  assert.match(checkPduFormat(v10, sized('a'.repeat(65_537 - rest))) ?? '', /65537 bytes/);
  assert.match(checkPduFormat(v10, sized('é'.repeat(40_000))) ?? '', /bytes/);
});
