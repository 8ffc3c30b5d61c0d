import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../kernel/log.ts';
import { receiptStream } from '../receipts/module.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createEphemeralEdus } from './ephemeral-edus.ts';
import { createFanOut } from './fan-out.ts';

const receipt = (roomId: string, userId: string) => ({
  roomNid: roomId.length,
  roomId,
  userNid: 1,
  userId,
  isLocal: true,
  type: 'm.read' as const,
  threadId: null,
  eventId: '$e',
  eventPos: 1,
  eventSub: 0,
  ts: 1,
});

test('receipts of a room go to one server after the other, and gather meanwhile', async () => {
  let now = 1_000;
  const clock = { now: () => now };
  const ephemeral = createEphemeralEdus(clock);
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const names = ['a.test', 'b.test', 'c.test'];
  const joined = new Map(names.map((name) => [name, 0]));
  const fanOut = createFanOut({
    bus,
    clock,
    log: createLog('error'),
    servers: { joined: async (nids) => new Map(nids.map((nid) => [nid, joined])) },
    roomsOf: () => assert.fail('nobody is present'),
    localMembers: () => assert.fail('nobody comes'),
    presentUser: () => assert.fail('nobody comes'),
    ephemeral,
    receiptsPerSecond: 10,
    isActive: () => true,
    isFor: () => true,
    wake: () => undefined,
  });
  let pos = 0;
  const publish = (row: ReturnType<typeof receipt>) =>
    bus.publish([{ stream: receiptStream, pos: ++pos, row }]);
  const dueTs = () => names.map((name) => ephemeral.dueTs(name));
  publish(receipt('!r', '@x:us.test'));
  while (ephemeral.count() < 3) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => void setImmediate(resolve));
  }
  assert.deepEqual(dueTs(), [1_000, 1_100, 1_200]);
  assert.equal(ephemeral.take('a.test', 100, true).length, 1);
  assert.deepEqual(ephemeral.take('b.test', 100, true), [], 'before its time');
  publish(receipt('!r', '@y:us.test'));
  while (ephemeral.count() < 5) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => void setImmediate(resolve));
  }
  assert.deepEqual(dueTs(), [1_300, 1_100, 1_200]);
  now = 1_100;
  const [edu] = ephemeral.take('b.test', 100, true) as [{ content: Record<string, object> }];
  const read = Object.values(edu.content)[0] as { 'm.read': object };
  assert.deepEqual(Object.keys(read['m.read']), ['@x:us.test', '@y:us.test']);
  // They go along with anything else.
  assert.equal(ephemeral.take('c.test', 100, false).length, 1);
  await fanOut.stop();
});
