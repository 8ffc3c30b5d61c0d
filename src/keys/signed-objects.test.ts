import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkComplete, oneTimeKeysOf } from './signed-objects.ts';

const code = (wanted: string) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === wanted;

test('keys are told apart by what is signed, not by their signatures', () => {
  const [one, other] = oneTimeKeysOf({
    'signed_curve25519:A': { key: 'k', signatures: { '@a:x': { 'ed25519:D': 's' } } },
    'signed_curve25519:B': { signatures: {}, fallback: true, key: 'k' },
  });
  assert.deepEqual(one, {
    algorithm: 'signed_curve25519',
    keyId: 'A',
    body: '{"key":"k"}',
    signatures: '{"@a:x":{"ed25519:D":"s"}}',
  });
  assert.equal(other!.body, '{"fallback":true,"key":"k"}');
});

test('a key that is only a text has no signatures', () => {
  assert.deepEqual(oneTimeKeysOf({ 'curve25519:A:b': 'text' }), [
    { algorithm: 'curve25519', keyId: 'A:b', body: '"text"', signatures: null },
  ]);
});

test('names that are none are refused', () => {
  for (const name of ['', 'A', ':A', 'A:', `a:${'x'.repeat(300)}`, 'a:\0']) {
    assert.throws(() => oneTimeKeysOf({ [name]: 'k' }), code('M_INVALID_PARAM'), name);
  }
});

test('device keys have all their members', () => {
  const whole = { user_id: '@a:x', device_id: 'D', algorithms: [], keys: {}, signatures: {} };
  checkComplete(whole);
  for (const name of Object.keys(whole)) {
    const { [name as 'keys']: _one, ...rest } = whole;
    assert.throws(() => checkComplete(rest), code('M_BAD_JSON'), name);
  }
});
