import assert from 'node:assert/strict';
import { mock, test, type TestContext } from 'node:test';
import { MatrixError } from '../kernel/errors.ts';
import { Metrics } from '../kernel/metrics.ts';
import { createServerLimiter, type ServerLimits } from './server-limiter.ts';

const free: ServerLimits = {
  windowMs: 1000,
  sleepLimit: null,
  sleepMs: 500,
  rejectLimit: 1000,
  concurrent: 1000,
};

function start(t: TestContext, wanted: Partial<ServerLimits>) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.after(() => mock.timers.reset());
  const metrics = new Metrics();
  const clock = { now: () => Date.now() };
  const limiter = createServerLimiter({ ...free, ...wanted }, clock, metrics);
  return {
    /** A request: whether it is answered by now, and what ends it. */
    ask(origin: string) {
      const { wait, end } = limiter.enter(origin);
      const request = { isAnswered: wait === null, end };
      void wait?.then(() => (request.isAnswered = true));
      return request;
    },
    async pass(ms: number) {
      mock.timers.tick(ms);
      // Promises that follow from it.
      for (let i = 0; i < 10; i++) {
        // oxlint-disable-next-line no-await-in-loop
        await Promise.resolve();
      }
    },
    async metric(name: string) {
      const { values } = await metrics.registry.getSingleMetric(name)!.get();
      return values.at(-1)!.value;
    },
  };
}

const refusedFor = (retryAfterMs: number) => (error: unknown) => {
  assert.ok(error instanceof MatrixError);
  assert.equal(error.code, 'M_LIMIT_EXCEEDED');
  assert.equal(error.extra['retry_after_ms'], retryAfterMs);
  return true;
};

test('more than so many in a window are held back, each server by itself', async (t) => {
  const { ask, pass, metric } = start(t, { sleepLimit: 2 });
  assert.ok(ask('a').isAnswered);
  await pass(400);
  assert.ok(ask('a').isAnswered);
  const third = ask('a');
  assert.ok(!third.isAnswered);
  assert.ok(ask('b').isAnswered);
  assert.equal(await metric('synapse_rate_limit_sleep_affected_hosts'), 1);
  await pass(499);
  assert.ok(!third.isAnswered);
  await pass(1);
  assert.ok(third.isAnswered);
  assert.equal(await metric('synapse_rate_limit_sleep_total'), 1);
  await pass(1000);
  assert.ok(ask('a').isAnswered, 'the window is over');
  assert.equal(await metric('synapse_rate_limit_sleep_affected_hosts'), 0);
});

test('no more than so many are answered at once; others wait in their order', async (t) => {
  const { ask, pass } = start(t, { concurrent: 2 });
  const first = ask('a');
  const second = ask('a');
  const third = ask('a');
  const fourth = ask('a');
  assert.deepEqual(
    [first, second, third, fourth].map(({ isAnswered }) => isAnswered),
    [true, true, false, false],
  );
  assert.ok(ask('b').isAnswered);
  second.end();
  await pass(0);
  assert.ok(third.isAnswered && !fourth.isAnswered);
  first.end();
  third.end();
  await pass(0);
  assert.ok(fourth.isAnswered);
  fourth.end();
  const again = [ask('a'), ask('a'), ask('a')];
  assert.deepEqual(
    again.map(({ isAnswered }) => isAnswered),
    [true, true, false],
    'those that are over have made room, and no more than that',
  );
});

test('who has slept waits for a turn as well', async (t) => {
  const { ask, pass } = start(t, { concurrent: 1, sleepLimit: 1 });
  const first = ask('a');
  const second = ask('a');
  await pass(500);
  assert.ok(!second.isAnswered);
  first.end();
  await pass(0);
  assert.ok(second.isAnswered);
});

test('while too many wait or sleep, further ones are refused', async (t) => {
  const { ask, pass, metric } = start(t, { concurrent: 1, rejectLimit: 1, sleepLimit: 4 });
  const first = ask('a');
  const waiting = [ask('a'), ask('a')];
  assert.throws(() => ask('a'), refusedFor(250));
  assert.ok(ask('b').isAnswered);
  assert.equal(await metric('synapse_rate_limit_reject_total'), 1);
  assert.equal(await metric('synapse_rate_limit_reject_affected_hosts'), 1);
  first.end();
  await pass(0);
  assert.ok(waiting[0]!.isAnswered);
  assert.ok(!ask('a').isAnswered, 'one of them no longer waits');
});

test('a limit of none holds back every request', async (t) => {
  const { ask, pass } = start(t, { sleepLimit: 0, rejectLimit: 0 });
  const first = ask('a');
  assert.ok(!first.isAnswered);
  assert.throws(() => ask('a'), refusedFor(1000));
  await pass(500);
  assert.ok(first.isAnswered);
});
