import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { isMacRight, isNonceGood, newNonce } from './shared-secret.ts';

test('a nonce is good for a minute, for the server that made it', () => {
  const nonce = newNonce('secret', 1_000_000);
  assert.ok(isNonceGood('secret', nonce, 1_000_000));
  assert.ok(isNonceGood('secret', nonce, 1_060_000));
  assert.ok(!isNonceGood('secret', nonce, 1_060_001));
  assert.ok(!isNonceGood('other', nonce, 1_000_000));
  const later = nonce.replace(/^[^-]+/, (1_050_000).toString(36));
  assert.ok(!isNonceGood('secret', later, 1_100_000), 'its time cannot be changed');
  for (const text of ['', '-', 'a-b-c', '☃']) assert.ok(!isNonceGood('secret', text, 0), text);
  assert.notEqual(newNonce('secret', 1_000_000), nonce);
});

test('requests are signed by SHA-1 over parts between zero bytes', () => {
  const parts = ['nonce', 'user', 'password', 'notadmin'];
  const mac = createHmac('sha1', 'secret').update(parts.join('\0')).digest('hex');
  assert.ok(isMacRight('secret', parts, mac));
  assert.ok(!isMacRight('secret', [...parts.slice(0, 3), 'admin'], mac));
  assert.ok(!isMacRight('secret', parts, ''));
});
