import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isSignedRequest,
  parseRequestAuthorization,
  requestAuthorization,
  type SignedParts,
} from './request-signing.ts';
import { generateSigningKeyLine, parseSigningKey } from './signing.ts';

const key = parseSigningKey(generateSigningKeyLine('a'));
const request: SignedParts = {
  method: 'PUT',
  uri: '/_matrix/federation/v1/send/1?a=%20b',
  destination: 'b.example:8448',
  content: { pdus: [], ä: ['"'] },
};

test('what is signed can be checked', () => {
  const header = requestAuthorization(request, 'a.example', key);
  const given = parseRequestAuthorization(header);
  assert.ok(given);
  assert.equal(given.origin, 'a.example');
  assert.equal(given.destination, 'b.example:8448');
  const isGood = (parts: Partial<SignedParts>) =>
    isSignedRequest({ ...request, ...parts }, given, key.publicKey);
  assert.ok(isGood({}));
  assert.ok(!isGood({ method: 'POST' }));
  assert.ok(!isGood({ uri: '/_matrix/federation/v1/send/1?a= b' }));
  assert.ok(!isGood({ content: { pdus: [] } }));
  assert.ok(!isGood({ destination: 'c.example' }));
  assert.ok(!isSignedRequest(request, { ...given, origin: 'c.example' }, key.publicKey));
  const other = parseSigningKey(generateSigningKeyLine('a'));
  assert.ok(!isSignedRequest(request, given, other.publicKey));
});

test('the header is read in all forms that are allowed', () => {
  const good = { origin: 'a:1', destination: 'b', keyId: 'ed25519:1', signature: 's+/' };
  const headers = [
    'X-Matrix origin="a:1",destination="b",key="ed25519:1",sig="s+/"',
    'x-matrix  ORIGIN=a:1 ,\tdestination=b, key=ed25519:1,sig=s+/',
    'X-Matrix sig="s+/",key="ed25519\\:1",origin="\\a:1",new="x, y=\\"z\\"",destination="b"',
  ];
  for (const header of headers) assert.deepEqual(parseRequestAuthorization(header), good, header);
  const old = parseRequestAuthorization('X-Matrix origin=a,key=ed25519:1,sig=s');
  assert.equal(old?.destination, null);
});

test('what is no signature is none', () => {
  const headers = [
    '',
    'X-Matrix',
    'X-Matrix ',
    'Bearer origin="a",key="k",sig="s"',
    'X-Matrix origin="a",key="k"',
    'X-Matrix origin="",key="k",sig="s"',
    'X-Matrix origin="a,key="k",sig="s"',
    'X-Matrix origin="a" key="k" sig="s"',
    'X-Matrix origin=a,key=k,sig=s;',
  ];
  // The last one has a value that ends in a semicolon, which is let through.
  for (const header of headers.slice(0, -1)) {
    assert.equal(parseRequestAuthorization(header), null, header);
  }
  assert.equal(parseRequestAuthorization(headers.at(-1)!)?.signature, 's;');
});
