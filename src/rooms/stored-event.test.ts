import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientEventJson, type StoredEvent } from './stored-event.ts';

const stored = (content: object, redacts: string | null): StoredEvent => ({
  roomNid: 1,
  eventNid: 1,
  pos: 1,
  sub: 0,
  eventId: '$e',
  typeNid: 1,
  type: 'm.room.redaction',
  stateKey: null,
  sender: '@a:x',
  senderNid: 1,
  originServerTs: 1,
  content: JSON.stringify(content),
  unsigned: null,
  deviceNid: null,
  txnId: null,
  redactedBy: null,
  redacts,
  isForked: false,
  isAfterGap: false,
});
const shown = (event: StoredEvent) => JSON.parse(clientEventJson(event, { now: 2 }));

test('clients find what a redaction redacts in both places', () => {
  const old = shown(stored({ reason: 'bad' }, '$t'));
  assert.deepEqual([old.redacts, old.content], ['$t', { reason: 'bad', redacts: '$t' }]);
  assert.deepEqual(shown(stored({}, '$t')).content, { redacts: '$t' });
  const both = shown(stored({ redacts: '$t' }, '$t'));
  assert.deepEqual([both.redacts, both.content], ['$t', { redacts: '$t' }]);
  assert.deepEqual(shown(stored({ body: 'x' }, null)).content, { body: 'x' });
});
