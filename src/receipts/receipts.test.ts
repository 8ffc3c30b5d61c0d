import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalBus } from '../streams/bus.ts';
import { isInThread } from './read-marks.ts';
import { receiptEventJson } from './receipt-event.ts';
import { createRecentReceipts } from './recent-receipts.ts';
import { receiptStream, type ReceiptRow } from './streams.ts';

function receipt(more: Partial<ReceiptRow> = {}): ReceiptRow {
  return {
    roomNid: 1,
    roomId: '!r:x',
    userNid: 1,
    userId: '@a:x',
    type: 'm.read',
    threadId: null,
    eventId: '$a',
    eventPos: 5,
    eventSub: 0,
    ts: 100,
    isLocal: true,
    ...more,
  };
}

function recentOf(max?: number) {
  const bus = createLocalBus({
    position: 10,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const recent = createRecentReceipts(bus, max);
  const publish = (pos: number, row: ReceiptRow) =>
    bus.publish([{ stream: receiptStream, pos, row }]);
  return { recent, publish };
}

test('recent receipts are the newest of each user, type and thread', () => {
  const { recent, publish } = recentOf();
  publish(11, receipt());
  publish(12, receipt({ threadId: 'main' }));
  publish(13, receipt({ eventId: '$b' }));
  publish(14, receipt({ userNid: 2, type: 'm.read.private' }));
  publish(15, receipt({ roomNid: 2 }));
  const seen = (after: number, reader: number) =>
    recent.after(1, after, reader)?.map((r) => `${r.userNid} ${r.eventId} ${r.threadId}`);
  assert.deepEqual(seen(10, 1), ['1 $a main', '1 $b null']);
  assert.deepEqual(seen(10, 2), ['1 $a main', '1 $b null', '2 $a null']);
  assert.deepEqual(seen(12, 1), ['1 $b null']);
  assert.deepEqual(seen(15, 2), []);
  assert.equal(seen(9, 1), undefined);
  assert.deepEqual(recent.after(3, 10, 1), []);
});

test('older receipts make room, and are no longer answered for', () => {
  const { recent, publish } = recentOf(2);
  publish(11, receipt({ userNid: 1 }));
  publish(12, receipt({ userNid: 2 }));
  publish(13, receipt({ userNid: 1 }));
  publish(14, receipt({ userNid: 3 }));
  assert.equal(recent.after(1, 11, 1), null);
  assert.deepEqual(
    recent.after(1, 12, 1)?.map((r) => r.userNid),
    [1, 3],
  );
});

test('writes one event, in which a receipt without a thread goes first', () => {
  const text = receiptEventJson([
    receipt({ threadId: '$root', ts: 1 }),
    receipt({ ts: 2 }),
    receipt({ threadId: 'main', ts: 3 }),
    receipt({ userId: '@b:x', threadId: 'main', ts: 4 }),
    receipt({ type: 'm.read.private', ts: 5 }),
    receipt({ eventId: '__proto__', userId: '__proto__', ts: 6 }),
  ]);
  assert.equal(
    text,
    '{"content":{"$a":{"m.read":{"@a:x":{"ts":2},"@b:x":{"ts":4,"thread_id":"main"}},' +
      '"m.read.private":{"@a:x":{"ts":5}}},"__proto__":{"m.read":{"__proto__":{"ts":6}}}},' +
      '"type":"m.receipt"}',
  );
});

test('which thread an event is in', () => {
  const row = (eventId: string, relType: string | null = null, parentId: string | null = null) => ({
    eventId,
    relType,
    parentId,
  });
  const root = [row('$a')];
  const reply = [row('$b', 'm.thread', '$a'), row('$a')];
  const reaction = [row('$c', 'm.annotation', '$b'), ...reply];
  const reference = [row('$d', 'm.reference', '$a'), row('$a')];
  for (const chain of [root, reply, reaction, reference]) assert.ok(isInThread(chain, '$a'));
  for (const chain of [root, reference]) assert.ok(isInThread(chain, 'main'));
  for (const chain of [reply, reaction]) assert.ok(!isInThread(chain, 'main'));
  assert.ok(!isInThread(reaction, '$b'));
  assert.ok(!isInThread(root, '$z'));
});
