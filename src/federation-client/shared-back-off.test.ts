import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../kernel/log.ts';
import { createLocalBus, type Bus } from '../streams/bus.ts';
import { createSharedBackOff, type FailingServer } from './shared-back-off.ts';

const options = { minMs: 60_000, factor: 2, maxMs: 600_000 };

/** Processes that share a bus and a database, in which all servers have rows. */
function world() {
  let now = 1_000_000;
  const rows = new Map<string, FailingServer | null>();
  const missed: (() => void)[] = [];
  const local = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const bus: Bus = { ...local, onMissed: (handler) => void missed.push(handler) };
  const start = () =>
    createSharedBackOff({
      options,
      store: {
        failing: async () => [...rows.values()].filter((row) => row !== null),
        async save(servers) {
          for (const [name, failing] of servers) rows.set(name, failing);
          return [];
        },
      },
      bus,
      clock: { now: () => now },
      log: createLog('error'),
      random: () => 1,
    });
  return { start, rows, pass: (ms: number) => void (now += ms) };
}

test('what one process learns of a server all know, and those that come later', async () => {
  const { start, rows, pass } = world();
  const [one, other] = [start(), start()];
  one.failed('a.test');
  assert.equal(other.waitMs('a.test'), 60_000);
  pass(60_000);
  other.failed('a.test');
  assert.equal(one.waitMs('a.test'), 120_000);
  assert.equal(one.failing('a.test')!.sinceTs, 1_000_000);
  await other.stop();
  assert.equal(rows.get('a.test')!.intervalMs, 120_000);

  const later = start();
  await later.ready;
  assert.equal(later.waitMs('a.test'), 120_000);
  const sooner: string[] = [];
  one.onSooner((name) => void sooner.push(name));
  later.succeeded('a.test');
  assert.equal(one.waitMs('a.test'), 0);
  assert.deepEqual(sooner, ['a.test']);
  await later.stop();
  assert.equal(rows.get('a.test'), null);
  await one.stop();
});

test('a server that is heard of is tried at once, but not again and again', async () => {
  const { start, pass } = world();
  const backOff = start();
  backOff.failed('a.test');
  pass(4_000);
  backOff.heardFrom('a.test');
  assert.equal(backOff.waitMs('a.test'), 6_000);
  pass(6_000);
  assert.equal(backOff.waitMs('a.test'), 0);
  // It sends and takes nothing: the pauses grow all the same.
  backOff.failed('a.test');
  assert.equal(backOff.waitMs('a.test'), 120_000);
  backOff.heardFrom('b.test');
  assert.equal(backOff.failing('b.test'), null);
  await backOff.stop();
});
