import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyText } from '../kernel/test-text.ts';
import { canonicalJson, NotCanonical } from './canonical-json.ts';
import { buildPdu, EventTooLarge, joinPdu, splitPdu, type UnsignedPdu } from './event-builder.ts';
import { contentHash, eventIdOf, checkPduFormat, redactPdu, signableText } from './event-format.ts';
import type { JsonObject, Pdu } from './pdu.ts';
import { knownRoomVersions, roomVersion } from './room-versions.ts';
import { parseSigningKey, verifyBytes } from './signing.ts';
import { anyJsonObject } from './test-json.ts';

const key = parseSigningKey('ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1');
const server = 'example.org';

const message: UnsignedPdu = {
  sender: '@alice:example.org',
  type: 'm.room.message',
  room_id: '!r:example.org',
  content: { msgtype: 'm.text', body: 'Grüße 😀' },
  origin_server_ts: 1_700_000_000_000,
  depth: 7,
  prev_events: ['$c'],
  auth_events: ['$a', '$b'],
};

const texts = anyText({ maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
const anyEvent = fc.record(
  {
    type: fc.oneof(
      texts,
      fc.constantFrom('m.room.member', 'm.room.create', 'm.room.power_levels', 'm.room.redaction'),
    ),
    content: fc.oneof(
      anyJsonObject,
      fc.record({ membership: texts, redacts: texts, invite: fc.integer(), creator: texts }),
    ),
    state_key: texts,
    redacts: texts,
    origin: texts,
    msc4354_sticky: fc.record({ duration_ms: fc.nat() }),
    depth: fc.nat(),
    auth_events: fc.array(
      texts.map((text) => `$a${text}`),
      { maxLength: 10 },
    ),
    prev_events: fc.array(
      texts.map((text) => `$a${text}`),
      { maxLength: 20 },
    ),
  },
  { requiredKeys: ['type', 'content', 'depth', 'auth_events', 'prev_events'] },
);
const anyVersion = fc.constantFrom(...knownRoomVersions.map(roomVersion));

function eventIn(version: ReturnType<typeof roomVersion>, parts: Partial<UnsignedPdu>) {
  const references = (ids: Pdu['prev_events']): Pdu['prev_events'] =>
    version.eventIdFormat === 'explicit' ? ids.map((id) => [id as string, { sha256: '' }]) : ids;
  const event: UnsignedPdu = { ...message, ...parts };
  event.auth_events = references(event.auth_events);
  event.prev_events = references(event.prev_events);
  if (version.roomIdIsCreateHash && event.type === 'm.room.create') delete event.room_id;
  return event;
}

test('the first event of the specification’s vectors', () => {
  const { pdu } = buildPdu(
    roomVersion('4'),
    {
      room_id: '!x:domain',
      sender: '@a:domain',
      origin: 'domain',
      origin_server_ts: 1_000_000,
      type: 'X',
      content: {},
      prev_events: [],
      auth_events: [],
      depth: 3,
    },
    'domain',
    key,
  );
  assert.deepEqual(pdu.hashes, { sha256: '5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos' });
  assert.deepEqual(pdu.signatures, {
    domain: {
      'ed25519:1':
        'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg',
    },
  });
});

test('ids that were worked out by the definitions elsewhere', () => {
  const { eventId } = buildPdu(roomVersion('12'), message, server, key);
  assert.equal(eventId, '$zKbg8P8p84Cqnt9Qw0j_z7BIjKPT2OTPfktlNVkeZcw');
  const { room_id: _room, ...rest } = message;
  const create = { type: 'm.room.create', state_key: '', content: { room_version: '12' } };
  const place = { depth: 1, prev_events: [], auth_events: [] };
  const built = buildPdu(roomVersion('12'), { ...rest, ...create, ...place }, server, key);
  assert.equal(built.eventId, '$37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c');
});

test('a built event: its texts are its canonical JSON; hash, id and signature are right', () => {
  fc.assert(
    fc.property(anyVersion, anyEvent, (version, parts) => {
      const built = buildPdu(version, eventIn(version, parts), server, key);
      const { pdu, eventId, content, envelope, contentAt } = built;
      assert.equal(joinPdu(envelope, contentAt, content), canonicalJson(pdu as never));
      assert.deepEqual(splitPdu(version, pdu), { content, envelope, contentAt });
      assert.equal(pdu.hashes.sha256, contentHash(version, pdu));
      assert.equal(eventId, eventIdOf(version, pdu));
      assert.equal(eventId, eventIdOf(version, redactPdu(version, pdu)));
      assert.equal(checkPduFormat(version, pdu), null);
      const signature = pdu.signatures[server]![key.id]!;
      const signed = Buffer.from(signableText(version, pdu));
      assert.ok(verifyBytes(signed, signature, key.publicKey));
    }),
    { numRuns: 200 },
  );
});

test('the same event has the same id and signature each time, whatever the order of its members', () => {
  const again = Object.fromEntries(Object.entries(message).toReversed()) as unknown as UnsignedPdu;
  const first = buildPdu(roomVersion('11'), message, server, key);
  assert.deepEqual(buildPdu(roomVersion('11'), again, server, key), first);
});

test('in versions 1 and 2 an event gets an id of its server, each a different one', () => {
  const version = roomVersion('2');
  const ids = [1, 2].map(() => buildPdu(version, eventIn(version, {}), server, key).eventId);
  for (const id of ids) assert.match(id, /^\$[A-Za-z0-9_-]{24}:example\.org$/);
  assert.notEqual(ids[0], ids[1]);
  const given = eventIn(version, { event_id: '$x:example.org' });
  assert.equal(buildPdu(version, given, server, key).eventId, '$x:example.org');
});

test('content without a canonical form is refused from version 6 on', () => {
  const event = { ...message, content: { a: 1.5 } };
  assert.throws(() => buildPdu(roomVersion('6'), event, server, key), NotCanonical);
  assert.equal(buildPdu(roomVersion('5'), event, server, key).content, '{"a":1.5}');
});

test('splitting and joining gives the canonical JSON without unsigned, whatever else is there', () => {
  const { pdu } = buildPdu(roomVersion('12'), message, server, key);
  fc.assert(
    fc.property(anyJsonObject, anyJsonObject, (extra, content) => {
      const { unsigned: _unsigned, ...rest } = { ...extra, ...pdu, content } as JsonObject;
      const whole = { ...rest, unsigned: { age: 1 } } as unknown as Pdu;
      const split = splitPdu(roomVersion('12'), whole);
      assert.equal(split.content, canonicalJson(content));
      assert.equal(joinPdu(split.envelope, split.contentAt, split.content), canonicalJson(rest));
    }),
  );
});

test('events of servers that lack auth_events or have members before it are split too', () => {
  const { pdu } = buildPdu(roomVersion('12'), message, server, key);
  const { auth_events: _gone, ...without } = pdu;
  for (const event of [without, { ...pdu, age: 1 }, { ...pdu, 'content!': 1, conten: 2 }]) {
    const { content, envelope, contentAt } = splitPdu(roomVersion('12'), event as Pdu);
    assert.equal(joinPdu(envelope, contentAt, content), canonicalJson(event as never));
  }
});

test('an event has at most 65,536 bytes', () => {
  const version = roomVersion('12');
  const sized = (body: string) => buildPdu(version, { ...message, content: { body } }, server, key);
  const { pdu } = sized('');
  const rest = Buffer.byteLength(canonicalJson(pdu as never));
  const largest = sized('a'.repeat(65_536 - rest));
  assert.equal(checkPduFormat(version, largest.pdu), null);
  assert.throws(() => sized('a'.repeat(65_537 - rest)), EventTooLarge);
  assert.throws(() => sized('é'.repeat(33_000)), EventTooLarge);
});

test('ids, type and state key have at most 255 bytes', () => {
  const version = roomVersion('12');
  const long = 'é'.repeat(128);
  for (const name of ['sender', 'type', 'state_key', 'room_id'] as const) {
    const event = { ...message, [name]: long };
    assert.throws(() => buildPdu(version, event, server, key), EventTooLarge, name);
  }
  assert.ok(buildPdu(version, { ...message, state_key: `a${'é'.repeat(127)}` }, server, key));
});

test('what would be refused elsewhere is not signed', () => {
  const version = roomVersion('12');
  const parts = [{ origin_server_ts: 1.5 }, { depth: 2 ** 53 }, { type: '\uD800' }];
  for (const part of parts) {
    assert.throws(() => buildPdu(version, { ...message, ...part }, server, key), NotCanonical);
  }
});
