import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../kernel/log.ts';
import { eventStream, type EventRow } from '../rooms/module.ts';
import { createLocalBus } from '../streams/bus.ts';
import { isEvent, type Item } from './destination.ts';
import { createFollower } from './follower.ts';

test('of who may have come after an event the database is asked', async () => {
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const told: [kind: string, pos: number, names: string[]][] = [];
  const tell = (kind: string) => (item: Item, names: Iterable<string>) => {
    assert.ok(isEvent(item));
    told.push([kind, item.pos, [...names].toSorted()]);
  };
  const joined = new Map([
    ['first.test', 1],
    ['second.test', 6],
    ['us.test', 0],
  ]);
  const follower = createFollower({
    bus,
    log: createLog('error'),
    serverName: 'us.test',
    servers: { joined: async (nids) => new Map(nids.map((nid) => [nid, joined])) },
    isActive: () => true,
    deliver: tell('sure'),
    uncertain: tell('unsure'),
    missed: () => assert.fail('nothing was missed'),
  });
  for (const pos of [5, 7]) {
    const event = { roomNid: 1, eventNid: pos, sender: '@alice:us.test' };
    const row = { event, memberships: [] } as unknown as EventRow;
    bus.publish([{ stream: eventStream, pos, row }]);
  }
  await new Promise((resolve) => setImmediate(resolve));
  await follower.stop();
  assert.deepEqual(told, [
    ['sure', 5, ['first.test']],
    ['unsure', 5, ['second.test']],
    ['sure', 7, ['first.test', 'second.test']],
  ]);
});
