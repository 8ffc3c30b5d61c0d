import assert from 'node:assert/strict';
import { argon2Sync } from 'node:crypto';
import { test } from 'node:test';
import bcrypt from 'bcrypt';
import { MatrixError } from '../kernel/errors.ts';
import { hashPassword, verifyPassword } from './password-hash.ts';

test('a hash fits its password and pepper only, and is new each time', async () => {
  const hash = await hashPassword('wordpass', 'pepper');
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.notEqual(await hashPassword('wordpass', 'pepper'), hash);
  const fits = async (password: string, pepper: string) => verifyPassword(password, pepper, hash);
  assert.deepEqual(await fits('wordpass', 'pepper'), { ok: true, needsRehash: false });
  assert.deepEqual(await fits('wordpass', ''), { ok: false, needsRehash: false });
  assert.deepEqual(await fits('Wordpass', 'pepper'), { ok: false, needsRehash: false });
});

test('forms of the same characters are the same password', async () => {
  const hash = await hashPassword('caf\u00e9 \u2460', '');
  assert.equal((await verifyPassword('cafe\u0301 1', '', hash)).ok, true);
});

test('hashes of a lower cost fit and are to be replaced', async () => {
  const salt = Buffer.alloc(16, 7);
  const cost = { memory: 64, passes: 1, parallelism: 1 };
  const message = Buffer.from('wordpass');
  const tag = argon2Sync('argon2id', { message, nonce: salt, tagLength: 32, ...cost });
  const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  const hash = `$argon2id$v=19$m=64,t=1,p=1$${base64(salt)}$${base64(tag)}`;
  assert.deepEqual(await verifyPassword('wordpass', '', hash), { ok: true, needsRehash: true });
});

test('bcrypt hashes of Synapse fit with their pepper and are to be replaced', async () => {
  const published = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
  assert.equal((await verifyPassword('U*U', '', published)).ok, true);
  // The password is normalised, the pepper is not.
  const hash = await bcrypt.hash('caf\u00e9\u2460', 4);
  assert.match(hash, /^\$2b\$/);
  assert.deepEqual(await verifyPassword('cafe\u0301', '\u2460', hash), {
    ok: true,
    needsRehash: true,
  });
  assert.equal((await verifyPassword('cafe\u0301', '1', hash)).ok, false);
});

test('what is no hash fits nothing', async () => {
  for (const hash of ['', 'wordpass', '$argon2id$v=19$m=1', '$1$abc$def']) {
    assert.deepEqual(await verifyPassword('wordpass', '', hash), { ok: false, needsRehash: false });
  }
});

test('when very many wait, more are sent away and all others are served', async () => {
  const cheap = '$2a$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
  const results = await Promise.allSettled(
    Array.from({ length: 600 }, () => verifyPassword('x', '', cheap)),
  );
  const refused = results.filter((result) => result.status === 'rejected');
  assert.ok(refused.length >= 600 - 503 && refused.length < 600 - 500, `${refused.length}`);
  for (const { reason } of refused) {
    assert.ok(reason instanceof MatrixError && reason.code === 'M_LIMIT_EXCEEDED');
  }
  assert.equal((await verifyPassword('x', '', cheap)).ok, false);
});
