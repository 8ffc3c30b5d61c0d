import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadSubscribers } from './thread-subscribers.ts';

const at = (subscribers: ThreadSubscribers, threadId: string, pos: number) =>
  [...subscribers.at(threadId, pos)].toSorted();

test('a subscription holds for events after it', () => {
  const subscribers = new ThreadSubscribers();
  subscribers.set('@a:x', [
    { threadId: '$1', sincePos: 5 },
    { threadId: '$2', sincePos: 9 },
  ]);
  subscribers.set('@b:x', [{ threadId: '$1', sincePos: 7 }]);
  assert.deepEqual(at(subscribers, '$1', 5), []);
  assert.deepEqual(at(subscribers, '$1', 6), ['@a:x']);
  assert.deepEqual(at(subscribers, '$1', 8), ['@a:x', '@b:x']);
  assert.deepEqual(at(subscribers, '$3', 8), []);
});

test('what a user subscribes to is replaced, and forgotten', () => {
  const subscribers = new ThreadSubscribers();
  subscribers.set('@a:x', [{ threadId: '$1', sincePos: 5 }]);
  subscribers.set('@a:x', [{ threadId: '$2', sincePos: 5 }]);
  assert.deepEqual(at(subscribers, '$1', 9), []);
  assert.deepEqual(at(subscribers, '$2', 9), ['@a:x']);
  subscribers.delete('@a:x');
  assert.deepEqual(at(subscribers, '$2', 9), []);
});
