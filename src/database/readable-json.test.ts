import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { readableJson } from './readable-json.ts';
import { statement } from './statement.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let testDatabase: TestDatabase;
before(async () => {
  testDatabase = await createTestDatabase();
});
after(() => testDatabase.close());

const readA = statement<[string], { a: string | null }>(
  'test.read_json_member',
  `select ${readableJson('$1::text')} ->> 'a' as a`,
);

const read = async (value: unknown) =>
  (await testDatabase.database.query(readA, [JSON.stringify(value)]))[0]!.a;

test('what PostgreSQL cannot keep becomes a replacement character', async () => {
  assert.equal(await read({ a: 'x\0y', '\0': ['\0'] }), 'x\ufffdy');
  assert.equal(await read({ a: '\ud800', b: 'x\udfffx' }), '\ufffd');
  assert.equal(await read({ a: '\\\0\\', b: '\\u0000\\ud800' }), '\\\ufffd\\');
  assert.equal(await read({ a: '\u0001é😀\\n' }), '\u0001é😀\\n');
  assert.equal(await read({ b: '\0' }), null);
});

test('whatever is in it can be read', async () => {
  const part = fc.constantFrom('\0', '\ud800', '\udfff', '\\', 'u0000', 'ud800', 'x', '"');
  await fc.assert(
    fc.asyncProperty(fc.array(part), async (parts) => {
      const text = parts.join('');
      // It has no half of a pair, and is no longer than before.
      const a = await read({ a: text, [text]: 1 });
      assert.ok(a!.isWellFormed() && a!.length <= text.length);
    }),
  );
});
