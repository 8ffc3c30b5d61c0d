import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BatchItem } from './database.ts';
import { statement, type Statement } from './statement.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let opened: TestDatabase;
before(async () => {
  opened = await createTestDatabase();
  await opened.database.query(
    statement('test.make_words', 'create table words (word text unique)'),
    [],
  );
});
after(() => opened.close());

const insert = statement<[string], never>('test.insert_word', 'insert into words values ($1)');
const select = statement<[], { word: string; length: number }>(
  'test.select_words',
  'select word, length(word)::bigint as length from words order by word',
);
const fails = statement<[number], { n: number }>('test.divide', 'select 1 / $1::integer as n');
const isWrong = statement<[], never>('test.no_such_table', 'select * from no_such_table');
const transactionId = statement<[], { id: string }>(
  'test.transaction_id',
  'select pg_current_xact_id()::text as id',
);

const item = <P extends readonly unknown[], R>(wanted: Statement<P, R>, params: P): BatchItem => ({
  statement: wanted as never,
  params,
});
const run = (...items: BatchItem[]) => opened.database.batch('test', items);
const words = async () => (await opened.database.query(select, [])).map(({ word }) => word);

test('statements of a batch are one transaction, each gives its rows', async () => {
  const [one, , found, two] = await run(
    item(transactionId, []),
    item(insert, ['first']),
    item(select, []),
    item(transactionId, []),
  );
  assert.deepEqual(found, [{ word: 'first', length: 5 }]);
  assert.deepEqual(one, two);
});

test('when one fails nothing is kept, and the next batch is not the worse for it', async () => {
  const wordsBefore = await words();
  const failing = [
    [item(insert, ['lost']), item(fails, [0])],
    [item(insert, ['lost']), item(isWrong, []), item(select, [])],
    [item(insert, ['first']), item(insert, ['lost'])],
  ];
  for (const items of failing) {
    // oxlint-disable-next-line no-await-in-loop
    await assert.rejects(run(...items), { name: 'error' });
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual(await words(), wordsBefore);
    // oxlint-disable-next-line no-await-in-loop
    assert.deepEqual((await run(item(fails, [1])))[0], [{ n: 1 }]);
  }
  await run(item(insert, ['second']), item(select, []));
  assert.deepEqual(await words(), [...wordsBefore, 'second']);
});

test('a batch does not suffer from one before it that failed and would have prepared its statement', async () => {
  const late = statement<[number], { n: number }>('test.late', 'select $1::integer as n');
  const isGone = run(item(fails, [0]), item(late, [1]));
  const isGood = Promise.all([run(item(late, [2])), run(item(late, [3]), item(late, [4]))]);
  await assert.rejects(isGone, { name: 'error' });
  assert.deepEqual(await isGood, [[[{ n: 2 }]], [[{ n: 3 }], [{ n: 4 }]]]);
});

test('batches that are sent before the first has answered do not mix', async () => {
  const answers = await Promise.allSettled(
    Array.from({ length: 60 }, (_, i) =>
      run(item(insert, [`w${i % 40}`]), item(fails, [i % 7]), item(select, [])),
    ),
  );
  // Those that divide by zero fail, and those whose word is there.
  const kept = new Set<string>();
  for (const [i, { status }] of answers.entries()) {
    const isGood = i % 7 !== 0 && !kept.has(`w${i % 40}`);
    assert.equal(status, isGood ? 'fulfilled' : 'rejected', String(i));
    if (isGood) kept.add(`w${i % 40}`);
  }
  assert.deepEqual(
    (await words()).filter((word) => /^w\d/.test(word)),
    [...kept].toSorted(),
  );
});
