import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromBase64 } from './base64.ts';
import type { JsonObject } from './pdu.ts';
import { generateSigningKeyLine, parseSigningKey, signJson, verifySignedJson } from './signing.ts';
import { anyJsonObject } from './test-json.ts';

/** The key of "Cryptographic Test Vectors" in the specification's appendices. */
const seed = 'YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1';
const key = parseSigningKey(`ed25519 1 ${seed}`);

test('the vectors of the specification', () => {
  const vectors: [object: JsonObject, signature: string][] = [
    [{}, 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ'],
    [
      { one: 1, two: 'Two' },
      'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw',
    ],
  ];
  assert.equal(key.id, 'ed25519:1');
  for (const [object, signature] of vectors) {
    const signed = signJson(object, 'domain', key);
    assert.deepEqual(signed, { ...object, signatures: { domain: { 'ed25519:1': signature } } });
    assert.ok(verifySignedJson(signed, 'domain', key));
  }
});

test('the public key is the one that another implementation verifies with', () => {
  const message = Buffer.from('a message');
  const x = fromBase64(key.publicKey)!.toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  assert.ok(verify(null, message, publicKey, fromBase64(key.sign(message))!));
});

test('a generated key line is read back', () => {
  const line = generateSigningKeyLine('a_abcd');
  assert.match(line, /^ed25519 a_abcd [A-Za-z0-9+/]{43}$/);
  assert.equal(parseSigningKey(line).id, 'ed25519:a_abcd');
  assert.equal(
    parseSigningKey(`\n# old\n  ${line}\r\n`).publicKey,
    parseSigningKey(line).publicKey,
  );
  assert.notEqual(generateSigningKeyLine('a_abcd'), line);
});

test('a line that is no key is refused', () => {
  for (const text of ['', '# only a comment', `rsa 1 ${seed}`, 'ed25519 1', `ed25519 ${seed}`]) {
    assert.throws(() => parseSigningKey(text), /a signing key is one line/, text);
  }
  for (const encoded of [seed.slice(4), `${seed}AAAA`, '!']) {
    assert.throws(() => parseSigningKey(`ed25519 1 ${encoded}`), /32 bytes/, encoded);
  }
});

test('signatures of others stay; signatures and unsigned are not signed', () => {
  const other = parseSigningKey(generateSigningKeyLine('a_other'));
  const once: JsonObject = signJson({ a: 1, unsigned: { age: 5 } }, 'one', other);
  const twice = signJson(once, 'two', key);
  assert.ok(verifySignedJson(twice, 'one', other));
  assert.ok(verifySignedJson({ ...twice, unsigned: { age: 6 } }, 'two', key));
  assert.deepEqual(twice['unsigned'], { age: 5 });
  const rotated = signJson(twice, 'one', key);
  assert.ok(verifySignedJson(rotated, 'one', other) && verifySignedJson(rotated, 'one', key));
});

test('what is not signed by the key does not verify, whatever its form', () => {
  const signed: JsonObject = signJson({ a: 1 }, 'one', key);
  const other = parseSigningKey(generateSigningKeyLine('1'));
  assert.ok(!verifySignedJson(signed, 'two', key));
  assert.ok(!verifySignedJson(signed, 'one', other));
  assert.ok(!verifySignedJson(signed, 'one', { id: key.id, publicKey: 'short' }));
  assert.ok(!verifySignedJson({ ...signed, a: 2 }, 'one', key));
  const forms: unknown[] = [undefined, null, 1, {}, { one: null }, { one: { 'ed25519:1': 1 } }];
  for (const signatures of [
    ...forms,
    { one: { 'ed25519:1': '!' } },
    { one: { 'ed25519:1': '' } },
  ]) {
    assert.ok(!verifySignedJson({ a: 1, signatures } as JsonObject, 'one', key));
  }
});

test('any object verifies after it is signed, and not once it is changed', () => {
  fc.assert(
    fc.property(anyJsonObject, (object) => {
      const { signatures: _signatures, ...rest } = object;
      const signed = signJson(rest, 'example.org', key);
      assert.ok(verifySignedJson(JSON.parse(JSON.stringify(signed)), 'example.org', key));
      assert.ok(!verifySignedJson({ ...signed, 'added by the test': 1 }, 'example.org', key));
    }),
    { numRuns: 50 },
  );
});

test('a text is signed as its UTF-8', () => {
  assert.equal(key.sign('Grüße 😀'), key.sign(Buffer.from('Grüße 😀')));
});
