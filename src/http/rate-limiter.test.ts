import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MatrixError } from '../kernel/errors.ts';
import { createRateLimiter, type RateLimits } from './rate-limiter.ts';

function limiterAt(limits: RateLimits) {
  let nowMs = 1_000_000;
  const limiter = createRateLimiter(limits, { now: () => nowMs });
  return { limiter, pass: (ms: number) => (nowMs += ms) };
}

/** Null when it was allowed, else how long to wait. */
function waitOf(use: () => void): number | null {
  try {
    use();
    return null;
  } catch (error) {
    assert.ok(error instanceof MatrixError);
    assert.equal(error.code, 'M_LIMIT_EXCEEDED');
    assert.equal(error.status, 429);
    return error.extra['retry_after_ms'] as number;
  }
}

test('so many at once, then so many a second; who waits as told may go on', () => {
  const { limiter, pass } = limiterAt({ message: { perSecond: 2, burst: 3 } });
  const take = () => waitOf(() => limiter.take('message', '@a:b'));
  assert.deepEqual([take(), take(), take()], [null, null, null]);
  assert.equal(take(), 500);
  pass(499);
  assert.equal(take(), 1);
  pass(1);
  assert.equal(take(), null);
  assert.equal(take(), 500);
});

test('keys and classes do not share', () => {
  const rate = { perSecond: 1, burst: 1 };
  const { limiter } = limiterAt({ message: rate, join: rate });
  limiter.take('message', 'a');
  limiter.take('message', 'b');
  limiter.take('join', 'a');
  assert.notEqual(
    waitOf(() => limiter.take('message', 'a')),
    null,
  );
});

test('no limit, and the class none, are never exceeded', () => {
  const { limiter } = limiterAt({ message: null });
  for (let i = 0; i < 1000; i++) {
    limiter.take('message', 'a');
    limiter.take('join', 'a');
    limiter.take('none', 'a');
  }
});

test('checking counts nothing; counting refuses nothing', () => {
  const { limiter } = limiterAt({ login_failed: { perSecond: 1, burst: 2 } });
  for (let i = 0; i < 5; i++) limiter.check('login_failed', 'a');
  limiter.count('login_failed', 'a');
  limiter.check('login_failed', 'a');
  for (let i = 0; i < 5; i++) limiter.count('login_failed', 'a');
  assert.equal(
    waitOf(() => limiter.check('login_failed', 'a')),
    1000,
  );
});

test('a clock that is set back costs nobody anything', () => {
  const { limiter, pass } = limiterAt({ message: { perSecond: 1, burst: 2 } });
  limiter.take('message', 'a');
  pass(-3_600_000);
  assert.equal(
    waitOf(() => limiter.take('message', 'a')),
    null,
  );
});

test('never more pass than the burst and what has leaked since', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 });
  const rates = fc.record({
    perSecond: fc.integer({ min: 1, max: 5 }),
    burst: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(rates, steps, (rate, waits) => {
      const { limiter, pass } = limiterAt({ message: rate });
      let passedMs = 0;
      let taken = 0;
      for (const ms of waits) {
        pass(ms);
        passedMs += ms;
        if (waitOf(() => limiter.take('message', 'a')) === null) taken++;
      }
      const rounding = 1e-6;
      assert.ok(taken <= rate.burst + (passedMs / 1000) * rate.perSecond + rounding);
    }),
  );
});

test("a user's own limit takes the place of the usual one; null is none", () => {
  const { limiter, pass } = limiterAt({ message: { perSecond: 1, burst: 1 } });
  const own = { perSecond: 1, burst: 3 };
  const take = () => waitOf(() => limiter.take('message', '@a:b', own));
  assert.deepEqual([take(), take(), take(), take()], [null, null, null, 1000]);
  pass(1000);
  for (let i = 0; i < 50; i++) limiter.take('message', '@a:b', null);
  assert.equal(take(), null);
});

test('processes that tell each other are as one, but for a share of the burst in each', () => {
  const limit = { perSecond: 1, burst: 12 };
  const uses = fc.array(fc.nat(3), { minLength: 30, maxLength: 80 });
  fc.assert(
    fc.property(uses, fc.boolean(), (processes, isShared) => {
      const limiters = Array.from({ length: 4 }, () =>
        createRateLimiter({ message: limit }, { now: () => 5 }, { isShared: true }),
      );
      let taken = 0;
      for (const at of processes) {
        if (waitOf(() => limiters[at]!.take('message', 'a')) === null) taken++;
        if (!isShared) continue;
        for (const limiter of limiters) {
          const news = limiter.news();
          for (const other of limiters) if (other !== limiter) other.heard(news);
        }
      }
      // Without news each has a burst of its own; with them three quarters of one at most come on top.
      const most = isShared ? limit.burst + 3 * (limit.burst / 4) : 4 * limit.burst;
      assert.ok(taken <= most, `${taken} of ${most}`);
      assert.ok(taken >= limit.burst || taken === processes.length);
    }),
  );
});

test('what is used little is not told of, and what was told is not told again', () => {
  const limiter = createRateLimiter(
    { message: { perSecond: 1, burst: 8 } },
    { now: () => 5 },
    { isShared: true },
  );
  limiter.take('message', 'a');
  assert.deepEqual(limiter.news(), []);
  limiter.take('message', 'a');
  assert.deepEqual(limiter.news(), [{ limitClass: 'message', key: 'a', count: 2 }]);
  assert.deepEqual(limiter.news(), []);
  limiter.take('message', 'a');
  assert.deepEqual(limiter.news(), [{ limitClass: 'message', key: 'a', count: 1 }]);
});
