import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { anyText } from '../kernel/test-text.ts';
import { paramText } from './param-text.ts';
import { statement } from './statement.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let testDatabase: TestDatabase;
before(async () => {
  testDatabase = await createTestDatabase();
});
after(() => testDatabase.close());

const echoTexts = statement<[(string | null)[]], { texts: (string | null)[] }>(
  'test.echo_texts',
  'select $1::text[] as texts',
);
const echoNumbers = statement<[number[]], { numbers: number[] }>(
  'test.echo_numbers',
  'select $1::bigint[] as numbers',
);
const echoBytes = statement<[Buffer[]], { bytes: Buffer[] }>(
  'test.echo_bytes',
  'select $1::bytea[] as bytes',
);

// The database has no place for NUL in text.
const text = anyText().map((value) => value.replaceAll('\0', ''));
const awkward = fc.constantFrom('', 'NULL', '"', '\\', '\\"', '{}', 'a,b', ' ', '\n', null);

test('arrays arrive as they were sent', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(text, awkward)), async (texts) => {
      const [row] = await testDatabase.database.query(echoTexts, [texts]);
      assert.deepEqual(row!.texts, texts);
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.maxSafeInteger()), async (numbers) => {
      const [row] = await testDatabase.database.query(echoNumbers, [numbers]);
      assert.deepEqual(row!.numbers, numbers);
    }),
  );
});

test('bytes arrive as they were sent; what has no text is refused', async () => {
  const [row] = await testDatabase.database.query(echoBytes, [[Buffer.from([0, 255])]]);
  assert.deepEqual(row!.bytes, [Buffer.from([0, 255])]);
  assert.equal(paramText('{'), '{');
  assert.equal(paramText(null), null);
  assert.throws(() => paramText({}), TypeError);
  assert.throws(() => paramText([[1]]), TypeError);
});
