import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromBase64, toBase64, toUrlSafeBase64 } from './base64.ts';

/** The examples of the specification's appendices. */
const examples: [text: string, encoded: string][] = [
  ['', ''],
  ['f', 'Zg'],
  ['fo', 'Zm8'],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg'],
  ['fooba', 'Zm9vYmE'],
  ['foobar', 'Zm9vYmFy'],
];

test('the examples of the specification', () => {
  for (const [text, encoded] of examples) {
    assert.equal(toBase64(Buffer.from(text)), encoded);
    assert.equal(toUrlSafeBase64(Buffer.from(text)), encoded);
    assert.equal(fromBase64(encoded)?.toString(), text);
  }
});

test('the alphabets differ in two digits, and both are read', () => {
  const bytes = new Uint8Array([0xfb, 0xff, 0xfe]);
  assert.equal(toBase64(bytes), '+//+');
  assert.equal(toUrlSafeBase64(bytes), '-__-');
  assert.deepEqual(fromBase64('+//+'), Buffer.from(bytes));
  assert.deepEqual(fromBase64('-__-'), Buffer.from(bytes));
});

test('padding is read; anything else is not base64', () => {
  assert.equal(fromBase64('Zg==')?.toString(), 'f');
  for (const text of ['Z', 'Zm9vY', 'Zg===', 'Z g', 'Zg\n', 'Zm=8', 'é']) {
    assert.equal(fromBase64(text), null, JSON.stringify(text));
  }
});

test('any bytes come back, also from a part of a larger buffer', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(5), (whole, from) => {
      const bytes = whole.subarray(Math.min(from, whole.length));
      assert.deepEqual(fromBase64(toBase64(bytes)), Buffer.from(bytes));
      assert.deepEqual(fromBase64(toUrlSafeBase64(bytes)), Buffer.from(bytes));
    }),
  );
});
