import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { statement } from '../database/statement.ts';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { createLog } from '../kernel/log.ts';
import { createLocalBus, type Bus, type RowsReader } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { createToDevice, toDeviceStream, type ToDevice, type ToDeviceRow } from './module.ts';

const insertDevice = statement<[number, string], { deviceNid: number }>(
  'test.insert_device',
  `insert into devices (user_nid, device_id, created_ts) values ($1, $2, 0)
   returning device_nid as "deviceNid"`,
);
const deleteDevice = statement<[number, number], never>(
  'test.delete_device',
  'delete from devices where user_nid = $1 and device_nid = $2',
);
const countTransactions = statement<[], { count: number }>(
  'test.count_transactions',
  'select count(*) as count from to_device_transactions',
);

let opened: TestDatabase;
let bus: Bus;
let toDevice: ToDevice;
let now = 1_000_000_000_000;
let readAgain: RowsReader<ToDeviceRow>;
const announced: { pos: number; row: ToDeviceRow }[] = [];

before(async () => {
  opened = await createTestDatabase();
  const { database } = opened;
  bus = {
    ...createLocalBus({
      position: 0,
      ephemeralPosition: 0,
      onReaderError: (error) => assert.fail(String(error)),
    }),
    recoverWith: (stream, read) => {
      if (stream.name !== toDeviceStream.name) return;
      readAgain = read as unknown as RowsReader<ToDeviceRow>;
    },
  };
  bus.subscribe(toDeviceStream, (rows) => {
    announced.push(...rows.map(({ pos, row }) => ({ pos, row })));
  });
  toDevice = createToDevice({
    clock: { now: () => now },
    database,
    bus,
    committer: createCommitter(database, bus),
    log: createLog('error'),
    serverName: 'test',
    userNidsOf: async () => new Map(),
    mayContact: () => true,
  });
});
after(() => opened.close());

let transactions = 0;
const send = (...messages: [userNid: number, deviceId: string, message: string][]) =>
  toDevice.deliver({
    senderNid: 1,
    senderDeviceNid: 1,
    type: 'm.test',
    txnId: `t${++transactions}`,
    nowTs: now,
    messages: messages.map(([userNid, deviceId, message]) => ({ userNid, deviceId, message })),
    remote: [],
  });

async function newDevice(userNid: number, deviceId: string) {
  const [made] = await opened.database.query(insertDevice, [userNid, deviceId]);
  return { userNid, deviceNid: made!.deviceNid };
}

const texts = async (device: { userNid: number; deviceNid: number }, afterPos = 0) =>
  (await toDevice.waiting(device, afterPos, bus.position(), 10)).map(({ message }) => message);

test('what is announced can be read again from the database', async () => {
  await newDevice(10, 'A');
  await newDevice(10, 'B');
  await newDevice(11, 'A');
  const from = bus.position();
  await Promise.all([
    send([10, '*', '{"n":1}'], [11, 'A', '{"n":"\\"\\\\,{}"}']),
    send([11, 'nothing', '{}'], [10, 'B', '{"n":2}']),
    send(),
  ]);
  const rows = announced.filter(({ pos }) => pos > from);
  assert.equal(rows.length, 4);
  assert.deepEqual(await readAgain(from, bus.position()), rows);
  assert.deepEqual(
    rows.map(({ row }) => row.message),
    ['{"n":1}', '{"n":1}', '{"n":"\\"\\\\,{}"}', '{"n":2}'],
  );
});

test('messages are read from memory and from the database alike', async () => {
  const device = await newDevice(20, 'A');
  for (let n = 0; n < 4; n++) {
    // oxlint-disable-next-line no-await-in-loop
    await send([20, 'A', `{"n":${n}}`]);
  }
  const { firstPos, lastPos } = await toDevice.span(20, device.deviceNid);
  assert.deepEqual(await texts(device, -1), ['{"n":0}', '{"n":1}', '{"n":2}', '{"n":3}']);
  assert.deepEqual(await texts(device, firstPos!), ['{"n":1}', '{"n":2}', '{"n":3}']);
  assert.equal(await toDevice.acknowledge(device, firstPos!), true);
  assert.deepEqual(await texts(device, -1), ['{"n":1}', '{"n":2}', '{"n":3}']);
  assert.equal(await toDevice.acknowledge(device, lastPos!), true);
  assert.deepEqual(await toDevice.span(20, device.deviceNid), { firstPos: null, lastPos: null });
});

test('sweeping removes what belongs to no device, and old transactions', async () => {
  const [gone, there] = [await newDevice(30, 'A'), await newDevice(30, 'B')];
  await send([30, '*', '{}']);
  await opened.database.query(deleteDevice, [30, gone.deviceNid]);
  const count = async () => (await opened.database.query(countTransactions, []))[0]!.count;
  assert.ok((await count()) > 0);
  now += 25 * 60 * 60 * 1000;
  await send([30, 'B', '{}']);
  await toDevice.sweep();
  assert.equal(await count(), 1);
  assert.equal((await toDevice.span(30, gone.deviceNid)).firstPos, null);
  assert.deepEqual(await texts(there, -1), ['{}', '{}']);
});
