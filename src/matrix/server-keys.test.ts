import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from './pdu.ts';
import { readPublishedKeys } from './server-keys.ts';
import { generateSigningKeyLine, parseSigningKey, signJson } from './signing.ts';

const key = parseSigningKey(generateSigningKeyLine('new'));
const old = parseSigningKey(generateSigningKeyLine('old'));
const dayMs = 86_400_000;
const now = 1_000 * dayMs;
const plain: JsonObject = {
  server_name: 'a.example',
  valid_until_ts: now + dayMs,
  verify_keys: { [key.id]: { key: key.publicKey } },
  old_verify_keys: { [old.id]: { key: old.publicKey, expired_ts: 5 } },
};
const read = (changes: JsonObject, by = key) =>
  readPublishedKeys(signJson({ ...plain, ...changes }, 'a.example', by), 'a.example', now);

test('keys in use are valid as long as they say, old ones until they expired', () => {
  const published = read({});
  assert.ok(typeof published === 'object');
  assert.deepEqual(Object.fromEntries(published.keys), {
    [key.id]: { publicKey: key.publicKey, validUntilTs: now + dayMs },
    [old.id]: { publicKey: old.publicKey, validUntilTs: 5 },
  });
});

test('nothing is valid for more than a week', () => {
  const published = read({ valid_until_ts: now + 30 * dayMs });
  assert.ok(typeof published === 'object');
  assert.equal(published.validUntilTs, now + 7 * dayMs);
  assert.equal(published.keys.get(key.id)?.validUntilTs, now + 7 * dayMs);
});

test('what is not to be believed', () => {
  assert.equal(read({ server_name: 'b.example' }), 'the keys are of another server');
  assert.equal(read({ valid_until_ts: 'soon' }), 'it does not say until when its keys are valid');
  const unsigned = 'the keys are not signed with one of them';
  assert.equal(read({}, old), unsigned);
  assert.equal(read({ verify_keys: [] }), unsigned);
  assert.equal(readPublishedKeys(plain, 'a.example', now), unsigned);
});

test('odd entries are passed over', () => {
  const entries = { 'rsa:1': { key: 'x' }, 'ed25519:2': 'x', 'ed25519:3': { key: 1 } };
  const published = read({
    verify_keys: { [key.id]: { key: key.publicKey }, ...entries },
    old_verify_keys: { 'ed25519:4': { key: 'x' } },
  });
  assert.ok(typeof published === 'object');
  assert.deepEqual([...published.keys.keys()], [key.id]);
});
