import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Placement } from './classify.ts';
import type { Upstream, UpstreamOptions } from './upstream.ts';
import { UpstreamSet, type Prefer } from './upstream-set.ts';

const worker = (id: string, options: Partial<UpstreamOptions> = {}): UpstreamOptions => ({
  id,
  app: 'generic_worker',
  address: { host: id, port: 1 },
  state: 'live',
  ...options,
});
const workers = (count: number) => Array.from({ length: count }, (_, i) => worker(`w${i}`));

const sync: Placement = {
  group: 'sync',
  app: 'generic_worker',
  apps: ['generic_worker', 'main'],
  pool: 'default',
  balance: 'user',
  key: null,
  resource: 'client',
  isRepeatable: true,
};
const of = (key: string | null, more: Partial<Placement> = {}) => ({ ...sync, key, ...more });

function create(wanted: readonly UpstreamOptions[], prefer?: Prefer) {
  const clock = { now: 0 };
  const set = new UpstreamSet({ now: () => clock.now, prefer });
  set.set(wanted);
  const pick = (placement: Placement, tried?: ReadonlySet<Upstream>) =>
    set.pick(placement, tried)?.id ?? null;
  const byId = (id: string) => [...set.all].find((one) => one.id === id)!;
  return { clock, set, pick, byId };
}
const keys = Array.from({ length: 3000 }, (_, i) => `user${i}`);

function shares(pick: (placement: Placement) => string | null): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of keys) counts[pick(of(key))!] = (counts[pick(of(key))!] ?? 0) + 1;
  return counts;
}

test('keys are spread evenly, or by weight', () => {
  const even = shares(create(workers(3)).pick);
  for (const count of Object.values(even)) assert.ok(Math.abs(count - 1000) < 120, `${count}`);
  const weighted = shares(create([worker('a', { weight: 2 }), worker('b')]).pick);
  assert.ok(Math.abs(weighted['a']! - 2000) < 150, `${weighted['a']}`);
});

test('when workers come and go, only the keys of those move', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(), (count, n) => {
      const { set, pick, clock } = create(workers(count + 1));
      const before = keys.slice(0, 200).map((key) => pick(of(key)));
      const gone = `w${n % (count + 1)}`;
      set.set(workers(count + 1).filter(({ id }) => id !== gone));
      keys.slice(0, 200).forEach((key, i) => {
        if (before[i] !== gone) assert.equal(pick(of(key)), before[i]);
      });
      set.set(workers(count + 1));
      clock.now = 60_000;
      assert.deepEqual(
        keys.slice(0, 200).map((key) => pick(of(key))),
        before,
      );
    }),
    { numRuns: 20 },
  );
});

test('a new worker gets its share bit by bit', () => {
  const { set, pick, clock } = create([worker('a')]);
  clock.now = 1000;
  set.set([worker('a'), worker('b')]);
  const ofNew = [0, 5000, 10_000, 30_000].map((passed) => {
    clock.now = 1000 + passed;
    return shares(pick)['b']!;
  });
  assert.ok(ofNew[0]! < 400, ofNew.join());
  for (let i = 1; i < 4; i++) assert.ok(ofNew[i]! > ofNew[i - 1]!, ofNew.join());
  assert.ok(Math.abs(ofNew[3]! - 1500) < 150, ofNew.join());
});

test('without a key the least busy worker takes it, in turn when all are alike', () => {
  const { pick, byId } = create(workers(3));
  assert.deepEqual(new Set([1, 2, 3].map(() => pick(of(null)))), new Set(['w0', 'w1', 'w2']));
  byId('w0').pending = 3;
  byId('w1').pending = 1;
  byId('w2').pending = 2;
  assert.equal(pick(of(null)), 'w1');
});

test('what has no worker of its own falls to the next app', () => {
  const media = of(null, { app: 'media_repository', apps: ['media_repository', 'main'] });
  const all = [worker('m', { app: 'main' }), worker('g'), worker('r', { app: 'media_repository' })];
  const { set, pick, byId } = create(all);
  assert.equal(pick(media), 'r');
  byId('r').failed(0, true);
  assert.equal(pick(media), 'm');
  set.set([worker('g')]);
  assert.equal(pick(media), 'g');
  set.set([]);
  assert.equal(pick(media), null);
});

test('a pool is for its traffic alone, as long as others are there', () => {
  const all = [worker('a'), worker('b'), worker('i', { pools: ['initial_sync'] })];
  const { pick, byId, set } = create(all);
  const first = (key: string) => of(key, { pool: 'initial_sync' });
  assert.ok(keys.every((key) => pick(first(key)) === 'i'));
  assert.ok(keys.every((key) => pick(of(key)) !== 'i'));
  byId('i').failed(0, true);
  assert.notEqual(pick(first('x')), 'i');
  assert.notEqual(pick(of('x', { pool: 'bridges' })), 'i');
  set.set([worker('i', { pools: ['initial_sync'] })]);
  assert.equal(pick(of('x')), 'i');
});

test('tried, draining and ejected workers are the last resort', () => {
  const { pick, byId, set } = create(workers(2));
  const w0 = byId('w0');
  assert.equal(pick(of('x'), new Set([w0])), 'w1');
  assert.equal(pick(of('x'), new Set([w0, byId('w1')])), null);
  w0.failed(0, true);
  assert.equal(pick(of('x')), 'w1');
  set.set([worker('w0'), worker('w1', { state: 'draining' })]);
  assert.equal(pick(of('x')), 'w1', 'draining is better than ejected');
  byId('w1').failed(0, true);
  assert.ok(['w0', 'w1'].includes(pick(of('x'))!));
});

test('a preferred worker is taken while it is well', () => {
  const { pick, byId } = create(workers(4), (group, key) =>
    group === 'sync' && key === 'x' ? 'w3' : key === 'y' ? 'unknown' : null,
  );
  assert.equal(pick(of('x')), 'w3');
  assert.notEqual(pick(of('y')), null);
  assert.notEqual(pick(of('x'), new Set([byId('w3')])), 'w3');
  byId('w3').failed(0, true);
  assert.notEqual(pick(of('x')), 'w3');
});

test('failures in a row eject; checks are further and further apart', () => {
  const { byId } = create([worker('a')]);
  const a = byId('a');
  assert.deepEqual([a.failed(0, false), a.failed(0, false)], [false, false]);
  a.succeeded();
  assert.deepEqual(
    [1, 2, 3].map(() => a.failed(0, false)),
    [false, false, true],
  );
  const delays = Array.from({ length: 7 }, () => {
    const at = a.checkAtMs;
    a.checkFailed(0);
    return at;
  });
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.equal(a.returned(0), true);
  assert.equal(a.returned(0), false);
  assert.ok(a.weightAt(0) < 0.2);
  assert.equal(a.weightAt(60_000), 1);
});

test('a worker with a new address starts anew; with the old one it is the same', () => {
  const { set, byId } = create([worker('a')]);
  const a = byId('a');
  assert.deepEqual(set.set([worker('a', { weight: 5 })]), []);
  assert.deepEqual([byId('a'), byId('a').weight], [a, 5]);
  assert.deepEqual(set.set([worker('a', { address: { socketPath: '/x' } })]), [a]);
  assert.notEqual(byId('a'), a);
});
