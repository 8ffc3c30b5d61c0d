import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import { idsOnTheWay, walkBack } from './walk.ts';

const event = (eventId: string, depth: number, prevs: string[], type = 'm.room.message') =>
  ({
    eventId,
    pdu: { depth, type, prev_events: prevs, origin_server_ts: 0 },
  }) as unknown as BuiltEvent;

const known = (events: BuiltEvent[], placed: string[] = [], refused: string[] = []) => ({
  given: new Map(events.map((one) => [one.eventId, one])),
  allowed: new Set(events.map(({ eventId }) => eventId).filter((id) => !refused.includes(id))),
  refused: new Set(refused),
  placed: new Set(placed),
});

const ids = ({ events }: { events: BuiltEvent[] }) => events.map(({ eventId }) => eventId);

const fork = [
  event('d', 4, ['b', 'c']),
  event('c', 3, ['a']),
  event('b', 2, ['a']),
  event('a', 1, ['create']),
];

test('a walk gives what it passes, oldest first, and what is missing at its ends', () => {
  const walked = walkBack(['d'], known(fork));
  assert.deepEqual(
    [ids(walked), walked.missing, walked.isFromStart],
    [['a', 'b', 'c', 'd'], ['create'], false],
  );
});

test('a walk ends where events are placed already, and passes by what is refused', () => {
  const walked = walkBack(['d'], known(fork, ['b'], ['c']));
  assert.deepEqual([ids(walked), walked.missing], [['a', 'd'], ['create']]);
  assert.deepEqual(walkBack(['d'], known(fork, ['d'])).events, []);
});

test('what was given beside the way counts for nothing', () => {
  const stray = event('stray', 9, ['elsewhere']);
  const walked = walkBack(['b', 'unknown'], known([...fork, stray], ['a']));
  assert.deepEqual([ids(walked), walked.missing], [['b'], ['unknown']]);
});

test('the beginning of the room ends it', () => {
  const all = [...fork, event('create', 0, [], 'm.room.create')];
  const walked = walkBack(['d'], known(all));
  assert.deepEqual([walked.isFromStart, walked.missing, ids(walked).length], [true, [], 5]);
  const half = walkBack(['d', 'other'], known(all));
  assert.deepEqual([half.isFromStart, half.missing], [false, ['other']]);
});

test('all ids that a walk may come to', () => {
  assert.deepEqual(idsOnTheWay(['d'], fork).toSorted(), ['a', 'b', 'c', 'create', 'd']);
});
