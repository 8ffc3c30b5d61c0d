import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeState, emptyState, encodeState, StateDraft, type SentRoom } from './connection.ts';

const room = (more: Partial<SentRoom> = {}): SentRoom => ({
  uptoPos: 0,
  timelineLimit: 1,
  signature: 0,
  lazyMembers: [],
  ...more,
});

test('a state comes back from its text as it was', () => {
  const draft = new StateDraft(emptyState);
  draft.set(7, room({ signature: draft.signature('one'), lazyMembers: [3, 4] }));
  draft.set(8, room({ signature: draft.signature('two'), uptoPos: 55, timelineLimit: 20 }));
  const state = draft.finish(9);
  assert.deepEqual(decodeState(9, encodeState(state)), state);
});

test('a draft is changed only by what is different, and leaves the state before alone', () => {
  const first = new StateDraft(emptyState);
  first.set(7, room({ signature: first.signature('one') }));
  const state = first.finish(1);
  const draft = new StateDraft(state);
  draft.set(7, room({ signature: draft.signature('one') }));
  draft.delete(99);
  assert.equal(draft.isChanged, false);
  draft.set(7, room({ signature: draft.signature('other') }));
  assert.equal(draft.isChanged, true);
  const next = draft.finish(2);
  assert.deepEqual(next.signatures, ['other']);
  assert.equal(next.rooms.get(7)!.signature, 0);
  assert.deepEqual(state.signatures, ['one']);
});
