import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildPdu } from './event-builder.ts';
import { eventIdOf, redactPdu, signableText } from './event-format.ts';
import {
  isPolicyState,
  isSignedByPolicyServer,
  policyIn,
  policySignatureIn,
  withPolicySignature,
} from './policy-server.ts';
import { roomVersion } from './room-versions.ts';
import { generateSigningKeyLine, parseSigningKey } from './signing.ts';

const version = roomVersion('11');
const serverKey = parseSigningKey(generateSigningKeyLine('a'));
const policyKey = parseSigningKey(generateSigningKeyLine('policy_server'));
const policy = { via: 'p.example', publicKey: policyKey.publicKey };
const event = buildPdu(
  version,
  {
    room_id: '!r:x.example',
    sender: '@a:x.example',
    type: 'm.room.message',
    content: { body: 'hello' },
    origin_server_ts: 1,
    depth: 1,
    prev_events: ['$p'],
    auth_events: ['$q'],
  },
  'x.example',
  serverKey,
);

test('a policy names a server and an ed25519 key', () => {
  const content = { via: 'p.example', public_keys: { ed25519: 'key', other: 'x' }, more: 1 };
  assert.deepEqual(policyIn(content), { via: 'p.example', publicKey: 'key' });
  assert.equal(policyIn({ ...content, via: null }), null);
  assert.equal(policyIn({ ...content, public_keys: null }), null);
  assert.equal(policyIn({ ...content, public_keys: { other: 'x' } }), null);
  assert.equal(policyIn({}), null);
});

test('only state with an empty key says which policy server there is', () => {
  assert.equal(isPolicyState({ type: 'm.room.policy', state_key: '' }), true);
  assert.equal(isPolicyState({ type: 'm.room.policy', state_key: 'a' }), false);
  assert.equal(isPolicyState({ type: 'm.room.policy' }), false);
  assert.equal(isPolicyState({ type: 'm.room.topic', state_key: '' }), false);
});

test('a signature is of the event as a redaction leaves it, and does not change its id', () => {
  const signature = policyKey.sign(signableText(version, event.pdu));
  const signed = withPolicySignature(version, event, policy, signature);
  assert.equal(eventIdOf(version, signed.pdu), event.eventId);
  assert.equal(isSignedByPolicyServer(version, event.pdu, policy), false);
  assert.equal(isSignedByPolicyServer(version, signed.pdu, policy), true);
  assert.equal(isSignedByPolicyServer(version, redactPdu(version, signed.pdu), policy), true);
  const urlSafe = policy.publicKey.replaceAll('+', '-').replaceAll('/', '_');
  assert.equal(
    isSignedByPolicyServer(version, signed.pdu, { ...policy, publicKey: urlSafe }),
    true,
  );
  for (const wrong of [
    { ...policy, publicKey: serverKey.publicKey },
    { ...policy, publicKey: 'no key' },
    { ...policy, via: 'q.example' },
  ]) {
    assert.equal(isSignedByPolicyServer(version, signed.pdu, wrong), false);
  }
  const moved = { ...signed.pdu, depth: 2 };
  assert.equal(isSignedByPolicyServer(version, moved, policy), false);
});

test('a signature beside those of the same server leaves them', () => {
  const own = { via: 'x.example', publicKey: policyKey.publicKey };
  const signature = policyKey.sign(signableText(version, event.pdu));
  const { pdu } = withPolicySignature(version, event, own, signature);
  assert.deepEqual(pdu.signatures, {
    'x.example': { ...event.pdu.signatures['x.example'], 'ed25519:policy_server': signature },
  });
});

test('of an answer only the signature of the policy server counts', () => {
  const own = { 'ed25519:policy_server': 'sig', 'ed25519:1': 'other' };
  assert.equal(policySignatureIn({ 'p.example': own, 'q.example': {} }, policy), 'sig');
  assert.equal(policySignatureIn({ 'q.example': own }, policy), null);
  assert.equal(policySignatureIn({ 'p.example': { 'ed25519:policy_server': 1 } }, policy), null);
  assert.equal(policySignatureIn({ 'p.example': null }, policy), null);
});
