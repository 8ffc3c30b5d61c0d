import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pdu } from '../matrix/pdu.ts';
import { stickyMsMax, stickyMsOf, stickyPart, withStickyMark } from './sticky.ts';

const sticky = (msc4354_sticky: Pdu['msc4354_sticky']) => ({ msc4354_sticky }) as Pdu;

test('what an event says of how long it is sticky', () => {
  assert.equal(stickyMsOf({}), null);
  for (const wrong of [null, 5, 'x', [], {}, { duration_ms: -1 }, { duration_ms: '5' }]) {
    assert.equal(stickyMsOf(sticky(wrong as never)), null);
  }
  assert.equal(stickyMsOf(sticky({ duration_ms: 0 })), 0);
  assert.equal(stickyMsOf(sticky({ duration_ms: 5 })), 5);
  assert.equal(stickyMsOf(sticky({ duration_ms: stickyMsMax + 1 })), stickyMsMax);
});

test('the mark stands before the rest of unsigned', () => {
  const marked = (unsigned: string | null) =>
    stickyPart({ unsigned: withStickyMark(sticky({ duration_ms: 5 }), unsigned) });
  assert.deepEqual(marked(null), { stickyMs: 5, rest: '' });
  assert.deepEqual(marked('"prev_sender":"@a:x"'), { stickyMs: 5, rest: '"prev_sender":"@a:x"' });
  assert.equal(stickyPart({ unsigned: null }), null);
  assert.equal(stickyPart({ unsigned: '"prev_sender":"@a:x"' }), null);
  assert.equal(withStickyMark(sticky('no'), '"a":1'), '"a":1');
});
