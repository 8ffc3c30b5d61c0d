import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { localpartFrom } from './localparts.ts';

test('names from elsewhere become localparts', () => {
  assert.equal(localpartFrom('Alice.B-c_9/x+y'), 'alice.b-c_9/x+y');
  assert.equal(localpartFrom('a b@c=d'), 'a=20b=40c=3dd');
  assert.equal(localpartFrom('Köln'), 'k=c3=b6ln');
  assert.equal(localpartFrom('_bot'), '=5fbot');
});

test('different names stay different, whatever they are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const localpart = localpartFrom(name);
      assert.match(localpart, /^[a-z0-9._=/+-]*$/);
      const bytes = localpart.replace(/=([0-9a-f]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
      const lower = name.toLowerCase();
      assert.equal(Buffer.from(bytes, 'latin1').toString('utf8'), Buffer.from(lower).toString());
    }),
  );
});
