import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StoredEvent } from './stored-event.ts';
import type { HistoryRow } from './store/visibility-history.ts';
import { visibilityFor } from './visibility.ts';

const userId = '@alice:test.example';
const posMax = 40;
/** PostgreSQL's largest `bigint`, as it is read. */
const forever = 2 ** 63;

/** Values that a state entry has one after the other, at growing positions. */
function historyOf(isMember: boolean, member: string, turns: readonly [pos: number, string][]) {
  const ordered = turns.toSorted(([a], [b]) => a - b);
  return ordered.map(([fromPos, value], i): HistoryRow => {
    const toPos = ordered[i + 1]?.[0] ?? forever;
    const content = JSON.stringify({ [member]: value });
    const rest = { sub: null, before: null, isBeforeKnown: false };
    return { isMember, content, fromPos, toPos, ...rest };
  });
}

const turnsOf = (...values: string[]) =>
  fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: posMax }), fc.constantFrom(...values)), {
    selector: ([pos]) => pos,
    maxLength: 6,
  });

test('what may be read are the positions at which messages may be seen', () => {
  const members = turnsOf('join', 'leave', 'invite', 'ban');
  const visibilities = turnsOf('joined', 'invited', 'shared', 'world_readable', 'odd');
  fc.assert(
    fc.property(members, visibilities, (ofUser, ofRoom) => {
      const visibility = visibilityFor(userId, [
        ...historyOf(true, 'membership', ofUser),
        ...historyOf(false, 'history_visibility', ofRoom),
      ]);
      const ranges = visibility.readable();
      for (let pos = 0; pos <= posMax + 1; pos++) {
        const message = { pos, sub: 0, type: 'm.room.message', stateKey: null } as StoredEvent;
        const isInside = ranges.some(({ fromPos, toPos }) => fromPos <= pos && pos < toPos);
        assert.equal(isInside, visibility.allows(message), `${pos}`);
      }
      for (const [i, { fromPos, toPos }] of ranges.entries()) {
        assert.ok(Number.isSafeInteger(toPos) && fromPos < toPos);
        assert.ok(i === 0 || ranges[i - 1]!.toPos < fromPos);
      }
    }),
  );
});
