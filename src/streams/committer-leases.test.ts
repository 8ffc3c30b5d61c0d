import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../database/database.ts';
import { LeaseLost, type Fence } from '../database/fence.ts';
import { statement } from '../database/statement.ts';
import { createLocalBus } from './bus.ts';
import { createCommitter, type CommitKind } from './committer.ts';

const store = statement<[string[]], never>('test_store', 'select $1::text[]');

/** A committer on a database that keeps the units of its transactions. */
function open() {
  const transactions: string[][] = [];
  const database: Pick<Database, 'batch'> = {
    async batch(_name, items) {
      const last = items.at(-1)!;
      transactions.push(last.params[0] as string[]);
      return items.map(() => []);
    },
  };
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  return { committer: createCommitter(database as Database, bus), transactions };
}

interface Unit {
  name: string;
  fence: Fence;
}

const kind: CommitKind<Unit, string> = {
  name: 'test',
  fence: ({ fence }) => fence,
  statements: (units) => [{ statement: store as never, params: [units.map(({ name }) => name)] }],
  complete: (units) => ({ results: units.map(({ name }) => name), publish: [] }),
};

const fenceOf = (shard: number): Fence => ({
  holder: 'me',
  role: 'events',
  shard,
  epoch: 1,
  isOver: false,
});

test('what is to be written under a lease that is over fails alone', async () => {
  const { committer, transactions } = open();
  const [given, kept] = [fenceOf(1), fenceOf(2)];
  const late = assert.rejects(committer.commit(kind, { name: 'late', fence: given }), LeaseLost);
  const other = committer.commit(kind, { name: 'other', fence: kept });
  given.isOver = true;
  await late;
  assert.equal(await other, 'other');
  assert.deepEqual(transactions, [['other']]);
});
