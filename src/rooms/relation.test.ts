import assert from 'node:assert/strict';
import { test } from 'node:test';
import { relationIn } from './relation.ts';

const relatesTo = (value: unknown) => relationIn({ 'm.relates_to': value });

test('a relation has a type and an event', () => {
  assert.deepEqual(relatesTo({ rel_type: 'm.thread', event_id: '$a' }), {
    relType: 'm.thread',
    parentId: '$a',
    key: null,
  });
  const annotation = { rel_type: 'm.annotation', event_id: '$a', key: '👍' };
  assert.equal(relatesTo(annotation)?.key, '👍');
});

test('what could not be asked for, or not be stored, is none', () => {
  const long = 'x'.repeat(256);
  for (const value of [
    undefined,
    null,
    'text',
    ['m.thread', '$a'],
    { event_id: '$a' },
    { rel_type: 'm.thread' },
    { rel_type: 'm.thread', event_id: 5 },
    { rel_type: long, event_id: '$a' },
    { rel_type: 'm.thread', event_id: long },
    { rel_type: 'm.thread', event_id: '$\0' },
    { 'm.in_reply_to': { event_id: '$a' } },
  ]) {
    assert.equal(relatesTo(value), null, JSON.stringify(value));
  }
  assert.equal(relatesTo({ rel_type: 'x', event_id: '$a', key: long })?.key, null);
});
