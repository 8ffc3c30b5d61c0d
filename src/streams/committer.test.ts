import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import type { Database } from '../database/database.ts';
import { createLocalBus } from './bus.ts';
import { BatchFailed, createCommitter, type Committer, type CommitKind } from './committer.ts';

const words: CommitKind<string, string> = {
  name: 'words',
  statements: (units) => [{ statement: null as never, params: units }],
  complete: (units) => ({ results: units.map((unit) => unit.toUpperCase()), publish: [] }),
};

/** What the transactions bring, in the order in which they begin. */
let begun: string[][];
/** Ends the transaction that is under way. */
let end: (error?: Error) => void;
let nowMs: number;
let committer: Committer;

beforeEach(() => {
  begun = [];
  nowMs = 1_000;
  mock.method(performance, 'now', () => nowMs);
  mock.timers.enable({ apis: ['setTimeout'] });
  const database = {
    batch(_lane, items) {
      begun.push(items.flatMap(({ params }) => params as string[]));
      return new Promise((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve(items.map(() => [])));
      });
    },
  } as Partial<Database> as Database;
  const bus = createLocalBus({ position: 0, ephemeralPosition: 0, onReaderError: assert.fail });
  committer = createCommitter(database, bus);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

const write = (word: string, alone = false) => committer.commit(words, word, { alone });
/** Everything that can happen without time passing has happened. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Two writes in one transaction, which has ended. */
async function writeTwo(): Promise<void> {
  const both = [write('a'), write('b')];
  await settled();
  end();
  assert.deepEqual(await Promise.all(both), ['A', 'B']);
  assert.deepEqual(begun, [['a', 'b']]);
}

test('while one transaction is under way the next gathers', async () => {
  const answers = [write('a')];
  await settled();
  answers.push(write('b'), write('c'));
  await settled();
  assert.deepEqual(begun, [['a']]);
  end();
  assert.equal(await answers[0], 'A');
  await settled();
  mock.timers.tick(2);
  await settled();
  assert.deepEqual(begun, [['a'], ['b', 'c']]);
});

test('a lone write waits for nobody', async () => {
  for (const word of ['a', 'b', 'c']) {
    const answer = write(word);
    // oxlint-disable-next-line no-await-in-loop
    await settled();
    end();
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await answer, word.toUpperCase());
  }
  assert.deepEqual(begun, [['a'], ['b'], ['c']]);
});

test('whom one transaction has answered the next one takes together', async () => {
  await writeTwo();
  void write('c');
  await settled();
  assert.deepEqual(begun, [['a', 'b']]);
  void write('d');
  await settled();
  assert.deepEqual(begun, [
    ['a', 'b'],
    ['c', 'd'],
  ]);
});

test('who does not come back is not waited for', async () => {
  await writeTwo();
  void write('c');
  await settled();
  mock.timers.tick(1);
  await settled();
  assert.equal(begun.length, 1);
  mock.timers.tick(1);
  await settled();
  assert.deepEqual(begun, [['a', 'b'], ['c']]);
});

test('a write that comes later waits for nobody', async () => {
  await writeTwo();
  nowMs += 2;
  void write('c');
  await settled();
  assert.deepEqual(begun, [['a', 'b'], ['c']]);
});

test('writes that fail together are told so; one that failed alone gets its own error', async () => {
  const cause = new Error('refused');
  const both = [write('a'), write('b')];
  await settled();
  end(cause);
  for (const result of await Promise.allSettled(both)) {
    assert.ok(result.status === 'rejected' && result.reason instanceof BatchFailed);
    assert.equal(result.reason.cause, cause);
  }
  const again = [write('a', true), write('b', true)].map((each) => each.catch((e: unknown) => e));
  await settled();
  mock.timers.tick(2);
  await settled();
  end(cause);
  assert.equal(await again[0], cause);
  await settled();
  mock.timers.tick(2);
  await settled();
  end();
  assert.equal(await again[1], 'B');
  assert.deepEqual(begun, [['a', 'b'], ['a'], ['b']]);
});
