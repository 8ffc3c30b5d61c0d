import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { isSigned, parseJwt, signJwt, type Jwk } from './jwt.ts';

const jwkOf = (key: KeyObject, more: object = {}): Jwk => ({
  ...key.export({ format: 'jwk' }),
  ...more,
});
const pemOf = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }) as string;
const parsed = (token: string) => {
  const jwt = parseJwt(token);
  assert.ok(jwt);
  return jwt;
};
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const none = { keys: [], secret: null };

test('the example of RFC 7515, A.3', async () => {
  const token =
    'eyJhbGciOiJFUzI1NiJ9' +
    '.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ' +
    '.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';
  const key = {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  };
  const jwt = parsed(token);
  assert.equal(jwt.claims['iss'], 'joe');
  assert.ok(await isSigned(jwt, { ...none, keys: [key], allowed: ['ES256'] }));
  assert.ok(
    !(await isSigned(jwt, { ...none, keys: [key], allowed: ['RS256'] })),
    'not an allowed one',
  );
  const other = parsed(token.replace('.eyJpc3', '.eyJpc2'));
  assert.ok(!(await isSigned(other, { ...none, keys: [key], allowed: ['ES256'] })));
});

test('every algorithm signs, and no other key or algorithm will do', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
  const pairs: [string, { privateKey: KeyObject; publicKey: KeyObject }][] = [
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((name) => [name, rsa] as const),
    ['ES256', ec('P-256')],
    ['ES384', ec('P-384')],
    ['ES512', ec('P-521')],
    ['EdDSA', generateKeyPairSync('ed25519')],
  ].map(([name, pair]) => [name as string, pair as (typeof pairs)[number][1]]);
  const allowed = pairs.map(([name]) => name);
  for (const [alg, { privateKey, publicKey }] of pairs) {
    const jwt = parsed(await signJwt({ alg, kid: 'a' }, { sub: 'x' }, pemOf(privateKey)));
    const by = (keys: Jwk[]) => isSigned(jwt, { keys, secret: null, allowed });
    assert.ok(await by([jwkOf(publicKey)]), alg);
    assert.ok(await by([jwkOf(publicKey, { kid: 'a', use: 'sig' })]), alg);
    assert.ok(!(await by([jwkOf(publicKey, { kid: 'b' })])), `${alg}: another key id`);
    assert.ok(!(await by([jwkOf(publicKey, { use: 'enc' })])), `${alg}: not for signatures`);
    const others = pairs.filter(([, pair]) => pair.publicKey !== publicKey);
    assert.ok(!(await by(others.map(([, pair]) => jwkOf(pair.publicKey)))), alg);
  }
});

test('a secret signs, and a public key is none', async () => {
  const secret = 'a secret';
  const jwt = parsed(await signJwt({ alg: 'HS256' }, { sub: 'x' }, secret));
  assert.ok(await isSigned(jwt, { keys: [], secret, allowed: ['HS256'] }));
  assert.ok(!(await isSigned(jwt, { keys: [], secret: 'another', allowed: ['HS256'] })));
  assert.ok(!(await isSigned(jwt, { keys: [], secret: null, allowed: ['HS256'] })));
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ format: 'pem', type: 'spki' }) as string;
  const forged = parsed(await signJwt({ alg: 'HS256' }, { sub: 'x' }, pem));
  assert.ok(
    !(await isSigned(forged, { keys: [jwkOf(publicKey)], secret, allowed: ['RS256', 'HS256'] })),
  );
});

test('short keys, no algorithm, and what is no token are refused', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const body = `${encoded({ alg: 'RS256' })}.${encoded({})}`;
  const end = sign('sha256', Buffer.from(body), privateKey).toString('base64url');
  const short = parsed(`${body}.${end}`);
  assert.ok(!(await isSigned(short, { ...none, keys: [jwkOf(publicKey)], allowed: ['RS256'] })));
  const unsigned = parsed(`${encoded({ alg: 'none' })}.${encoded({})}.`);
  assert.ok(!(await isSigned(unsigned, { ...none, allowed: ['none'] })));
  for (const text of [
    '',
    'a.b',
    'a.b.c',
    `${encoded({ alg: 'RS256', crit: ['x'] })}.${encoded({})}.`,
    `${encoded([])}.${encoded({})}.`,
    `${encoded({})}.${encoded({})}.${'a'.repeat(70_000)}`,
  ]) {
    assert.equal(parseJwt(text), null, text.slice(0, 40));
  }
});
