import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { knownRoomVersions, roomVersion } from '../room-versions.ts';
import { resolveState } from './resolve.ts';
import { resolveLiterally } from './test-oracle.ts';
import { growRoom, type Step } from './test-rooms.ts';
import { keyOf } from './types.ts';

const number = fc.nat({ max: 100 });
const step: fc.Arbitrary<Step> = fc.record({
  branch: number,
  forkFrom: fc.option(number, { freq: 6 }),
  actor: number,
  action: number,
  target: number,
  level: number,
  ms: fc.nat({ max: 2 }),
});
const room = fc.record({
  branches: fc.integer({ min: 2, max: 4 }),
  steps: fc.array(step, { maxLength: 40 }),
});

const sorted = (state: ReadonlyMap<string, string>) =>
  [...state].toSorted(([a], [b]) => (a < b ? -1 : 1));

for (const id of ['1', '2', '6', '10', '11', '12']) {
  const version = roomVersion(id);

  test(`room version ${id}: the same as the specification read literally`, () => {
    fc.assert(
      fc.property(room, ({ branches, steps }) => {
        const { events, states } = growRoom(version, branches, steps);
        const resolved = resolveState(version, states, events);
        assert.deepEqual(sorted(resolved), sorted(resolveLiterally(version, states, events)));
      }),
      { numRuns: 400 },
    );
  });

  test(`room version ${id}: the order in which states arrive does not matter`, () => {
    fc.assert(
      fc.property(room, fc.nat(), ({ branches, steps }, seed) => {
        const { events, states } = growRoom(version, branches, steps);
        const turned = states.map((_, i) => states[(i + seed) % states.length]!).toReversed();
        const shuffled = turned.map((state) => new Map([...state].toReversed()));
        const arrived = new Map([...events].toReversed());
        assert.deepEqual(
          sorted(resolveState(version, shuffled, arrived)),
          sorted(resolveState(version, states, events)),
        );
      }),
      { numRuns: 200 },
    );
  });
}

test('agreeing states are their own resolution, in every version', () => {
  for (const id of knownRoomVersions) {
    const version = roomVersion(id);
    const { events, states } = growRoom(version, 2, []);
    const resolved = resolveState(version, states, events);
    assert.deepEqual(sorted(resolved), sorted(states[0]!));
  }
});

test('a ban wins over what the banned user does at the same time', () => {
  const version = roomVersion('11');
  const act = (branch: number, actor: number, action: number, target: number): Step => ({
    branch,
    forkFrom: null,
    actor,
    action,
    target,
    level: 3,
    ms: 1,
  });
  // @a gives @b power on both branches; then @a bans @b on one, and @b sets a topic on the other.
  const { events, states } = growRoom(version, 2, [
    act(0, 0, 0, 1),
    { ...act(1, 0, 6, 0), forkFrom: 0 },
    act(1, 1, 7, 0),
    act(0, 0, 3, 1),
  ]);
  const resolved = resolveState(version, states, events);
  const member = events.get(resolved.get(keyOf('m.room.member', '@b:x'))!);
  assert.equal(member?.content['membership'], 'ban');
  assert.equal(resolved.get(keyOf('m.room.topic', '')), undefined);
});
