import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildPdu, joinPdu } from './event-builder.ts';
import type { Pdu } from './pdu.ts';
import { checkReceived, type FindServerKey } from './received-pdu.ts';
import { roomVersion } from './room-versions.ts';
import { generateSigningKeyLine, parseSigningKey } from './signing.ts';

const key = parseSigningKey(generateSigningKeyLine('a'));
const other = parseSigningKey(generateSigningKeyLine('b'));
const sentTs = 1_700_000_000_000;

const findKey: FindServerKey = async (serverName, keyId) =>
  serverName === 'y' && keyId === key.id
    ? { publicKey: key.publicKey, validUntilTs: sentTs }
    : null;

const parts = {
  room_id: '!r:x',
  sender: '@c:y',
  type: 'm.room.message',
  content: { body: 'hello' },
  origin_server_ts: sentTs,
  depth: 9,
  prev_events: ['$before'],
  auth_events: ['$create'],
};

function signed(versionId: string, wish: Partial<Pdu> = {}, by = key): Pdu {
  const { hashes: _hashes, signatures: _signatures, ...rest } = { ...parts, ...wish } as Pdu;
  return buildPdu(roomVersion(versionId), rest, 'y', by).pdu;
}

const check = (pdu: unknown, versionId = '11', roomId = '!r:x') =>
  checkReceived(roomVersion(versionId), roomId, pdu, findKey);

async function faultOf(pdu: unknown): Promise<string> {
  const received = await check(pdu);
  assert.ok(typeof received === 'string', 'nothing is wrong with it');
  return received;
}

test('a good event comes in its stored form, without what others have put into `unsigned`', async () => {
  const pdu = signed('11');
  const received = await check({ ...pdu, unsigned: { age: 5 } });
  assert.ok(typeof received === 'object');
  assert.deepEqual(received.pdu, pdu);
  const { envelope, contentAt, content } = received;
  assert.deepEqual(JSON.parse(joinPdu(envelope, contentAt, content)), pdu);
  const { eventId } = buildPdu(roomVersion('11'), parts, 'y', key);
  assert.equal(received.eventId, eventId);
});

test('what is not well-formed, not of the room or not signed is dropped', async () => {
  const { sender: _sender, ...nobodys } = signed('11');
  const create = signed('11', { type: 'm.room.create', state_key: '' });
  const cases: [unknown, RegExp][] = [
    ['text', /not an object/],
    [nobodys, /bad sender/],
    [signed('11', { prev_events: [] }), /follows no event/],
    [create, /create/],
    [signed('11', { type: 'm.room.member', state_key: 'nobody' }), /no user/],
    [signed('11', { room_id: '!other:x' }), /another room/],
    [signed('11', {}, other), /no valid signature of y/],
    [{ ...signed('11'), signatures: {} }, /no valid signature of y/],
    [{ ...signed('11'), depth: 10 }, /no valid signature of y/],
    // From room version 5 on a key must have been valid when the event was made.
    [signed('11', { origin_server_ts: sentTs + 1 }), /no valid signature of y/],
  ];
  for (const [pdu, fault] of cases) {
    // oxlint-disable-next-line no-await-in-loop
    assert.match(await faultOf(pdu), fault);
  }
  assert.equal(typeof (await check(signed('3', { origin_server_ts: sentTs + 1 }), '3')), 'object');
});

test('who vouches for a restricted join has to sign it', async () => {
  const join = {
    type: 'm.room.member',
    state_key: '@c:y',
    content: { membership: 'join', join_authorised_via_users_server: '@a:x' },
  };
  assert.match(await faultOf(signed('11', join)), /no valid signature of x/);
  assert.equal(typeof (await check(signed('7', join), '7')), 'object');
});

test('an event whose content was changed on the way is redacted', async () => {
  const received = await check({ ...signed('11'), content: { body: 'another' } });
  assert.ok(typeof received === 'object');
  assert.equal(received.content, '{}');
});
