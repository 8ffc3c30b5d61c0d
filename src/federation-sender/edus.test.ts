import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { eventually } from '../../test/harness/eventually.ts';
import { presenceStream, type Presence } from '../presence/module.ts';
import { receiptStream } from '../receipts/module.ts';
import type { StreamRow } from '../streams/define-stream.ts';
import { remoteMessages } from '../to-device/remote-messages.ts';
import { typingStream } from '../typing/module.ts';
import { alice, openTestSender, type TestSender } from './test-sender.ts';

const them = 'them.test';
const bob = `@bob:${them}`;
const carol = '@carol:others.test';

let world: TestSender;
let roomId: string;
let roomNid: number;
let aliceNid: number;
before(async () => {
  world = await openTestSender();
  roomId = await world.createRoom();
  await world.join(roomId, bob);
  aliceNid = (await world.interned.find(alice))!;
  const { rows } = await world.sql.query('select room_nid from rooms where room_id = $1', [roomId]);
  roomNid = Number(rows[0].room_nid);
});
beforeEach(() => {
  world.arrived.length = 0;
  world.tried.length = 0;
  world.away.clear();
});
after(() => world.close());

const edusFor = (type: string, destination = them) =>
  world.arrived
    .filter((one) => one.destination === destination)
    .flatMap(({ edus }) => edus)
    .filter((edu) => edu.edu_type === type)
    .map(({ content }) => content);

let number = 0;
function sendToDevices(messages: Record<string, Record<string, unknown>>): Promise<void> {
  const txnId = `t${++number}`;
  const remote = remoteMessages({ senderId: alice, type: 'm.x', requestKey: txnId, messages });
  return world.toDevice.deliver({
    senderNid: aliceNid,
    senderDeviceNid: 0,
    type: 'm.x',
    txnId,
    nowTs: world.clock.now(),
    messages: [],
    remote,
  });
}

const waiting = async () => {
  const { rows } = await world.sql.query('select server_name from to_device_outbox order by pos');
  return rows.map((row) => row.server_name as string);
};

test('messages to devices arrive, and are kept no longer than that', async () => {
  await sendToDevices({ [bob]: { A: { n: 1 }, '*': { n: 2 } }, [carol]: { B: { n: 3 } } });
  await eventually(async () => assert.deepEqual(await waiting(), []));
  const [content, ...more] = edusFor('m.direct_to_device');
  assert.deepEqual(more, []);
  const { message_id: id, ...rest } = content!;
  assert.equal(typeof id, 'string');
  const messages = { [bob]: { A: { n: 1 }, '*': { n: 2 } } };
  assert.deepEqual(rest, { sender: alice, type: 'm.x', messages });
  assert.equal(edusFor('m.direct_to_device', 'others.test').length, 1);
});

test('messages to devices wait for a server that is away, in order, also over a crash', async () => {
  world.away.add(them);
  await sendToDevices({ [bob]: { A: { n: 1 } } });
  await eventually(async () => assert.ok(world.backOff.waitMs(them) > 0));
  await sendToDevices({ [bob]: { A: { n: 2 } } });
  assert.deepEqual(await waiting(), [them, them]);
  await world.restart(false);
  world.away.delete(them);
  world.clock.pass(60_000);
  await eventually(async () => assert.deepEqual(await waiting(), []));
  const sent = edusFor('m.direct_to_device').map(({ messages }) => messages);
  const [first, second] = [1, 2].map((n) => ({ [bob]: { A: { n } } }));
  assert.deepEqual(sent.slice(0, 2), [first, second]);
});

test('a message that is sent twice with one transaction id is put into the outbox once', async () => {
  world.away.add(them);
  await sendToDevices({ [bob]: { A: { n: 1 } } });
  number--;
  await sendToDevices({ [bob]: { A: { n: 1 } } });
  assert.deepEqual(await waiting(), [them]);
  world.away.delete(them);
  world.clock.pass(600_000);
  await eventually(async () => assert.deepEqual(await waiting(), []));
});

test('many messages are several EDUs, none of which is too large', () => {
  const text = 'x'.repeat(30_000);
  const devices = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`D${i}`, { text }]));
  const messages = { [bob]: devices };
  const made = remoteMessages({ senderId: alice, type: 'm.x', requestKey: 'k', messages });
  assert.equal(made.length, 3);
  const contents = made.map(({ edu }) => JSON.parse(edu).content);
  assert.deepEqual(
    contents.flatMap((content) => Object.keys(content.messages[bob])),
    Object.keys(devices),
  );
  assert.equal(new Set(contents.map((content) => content.message_id)).size, 3);
  const again = remoteMessages({ senderId: alice, type: 'm.x', requestKey: 'k', messages });
  assert.deepEqual(again, made);
});

async function uploadKeys(deviceId: string): Promise<number> {
  const { rows } = await world.sql.query(
    'insert into devices (user_nid, device_id, created_ts) values ($1, $2, 0) returning device_nid',
    [aliceNid, deviceId],
  );
  const deviceNid = Number(rows[0].device_nid);
  const keys = {
    user_id: alice,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`curve25519:${deviceId}`]: 'x' },
    signatures: {},
  };
  const device = { userNid: aliceNid, userId: alice, deviceNid, deviceId };
  await world.keys.upload(device, { device_keys: keys });
  return deviceNid;
}

test('changes of devices follow each other by their ids, also for who was away', async () => {
  const phone = await uploadKeys('PHONE');
  await uploadKeys('DESK');
  await eventually(async () => assert.equal(edusFor('m.device_list_update').length, 2));
  const [first, second] = edusFor('m.device_list_update');
  assert.equal(first!['device_id'], 'PHONE');
  assert.deepEqual(first!['prev_id'], []);
  assert.deepEqual((first!['keys'] as { keys: object }).keys, { 'curve25519:PHONE': 'x' });
  assert.deepEqual(second!['prev_id'], [first!['stream_id']]);
  assert.equal(await world.keys.updates.streamId(aliceNid), second!['stream_id']);

  world.away.add(them);
  const user = { userNid: aliceNid, userId: alice };
  await world.sql.query('delete from devices where device_nid = $1', [phone]);
  const gone = [{ deviceNid: phone, deviceId: 'PHONE' }];
  await world.keys.accountEvents.devicesDeleted!(user, gone);
  await eventually(async () => assert.ok(world.backOff.waitMs(them) > 0));
  await world.restart(true);
  await uploadKeys('TABLET');
  world.away.delete(them);
  world.clock.pass(600_000);
  await eventually(async () => assert.equal(edusFor('m.device_list_update').length, 4));
  const [, , third, fourth] = edusFor('m.device_list_update');
  assert.deepEqual(
    [third!['device_id'], third!['deleted'], third!['prev_id']],
    ['PHONE', true, [second!['stream_id']]],
  );
  assert.deepEqual([fourth!['device_id'], fourth!['prev_id']], ['TABLET', [third!['stream_id']]]);
});

async function publish(row: Omit<StreamRow, 'pos'>): Promise<void> {
  const { rows } = await world.sql.query("select nextval('stream_position')");
  const pos = row.stream.durable ? Number(rows[0].nextval) : world.bus.nextEphemeral();
  world.bus.publish([{ ...row, pos }]);
}

const receipt = (threadId: string | null, eventId: string) => ({
  roomNid,
  roomId,
  userNid: aliceNid,
  userId: alice,
  isLocal: true,
  type: 'm.read' as const,
  threadId,
  eventId,
  eventPos: 1,
  eventSub: 0,
  ts: 5,
});

test('receipts go to the servers in the room, one of each user in an EDU', async () => {
  const send = (row: object) => publish({ stream: receiptStream, row });
  await send(receipt(null, '$a'));
  await send(receipt('main', '$b'));
  await send({ ...receipt(null, '$c'), type: 'm.read.private' });
  await send({ ...receipt(null, '$d'), isLocal: false });
  world.clock.pass(1_000);
  await eventually(async () => assert.equal(edusFor('m.receipt').length, 2));
  const read = (data: object, id: string) => ({
    [roomId]: { 'm.read': { [alice]: { data, event_ids: [id] } } },
  });
  assert.deepEqual(edusFor('m.receipt'), [
    read({ ts: 5 }, '$a'),
    read({ ts: 5, thread_id: 'main' }, '$b'),
  ]);
});

test('typing and presence of local users go to servers that share rooms, while they answer', async () => {
  const typing = (userId: string, isLocal: boolean) =>
    publish({
      stream: typingStream,
      row: { roomNid, roomId, userIds: [userId], change: { userId, isLocal, isTyping: true } },
    });
  const presence = {
    userNid: aliceNid,
    userId: alice,
    isLocal: true,
    state: 'online',
    lastActiveTs: world.clock.now() - 7,
    statusMsg: 'here',
    isCurrentlyActive: true,
  };
  await typing(alice, true);
  await typing(bob, false);
  await publish({ stream: presenceStream, row: presence });
  await eventually(async () => assert.equal(edusFor('m.presence').length, 1));
  await eventually(async () => assert.equal(edusFor('m.typing').length, 1));
  assert.deepEqual(edusFor('m.typing'), [{ room_id: roomId, user_id: alice, typing: true }]);
  assert.deepEqual(edusFor('m.presence'), [
    {
      push: [
        {
          user_id: alice,
          presence: 'online',
          last_active_ago: 7,
          status_msg: 'here',
          currently_active: true,
        },
      ],
    },
  ]);
  assert.equal(edusFor('m.typing', 'others.test').length, 0);
});

const joining = (userId: string) => ({
  type: 'm.room.member',
  sender: userId,
  stateKey: userId,
  content: { membership: 'join' },
});

test('a server that comes into a room is told who is present there, and others of who joins', async () => {
  const presence: Presence = {
    userNid: aliceNid,
    userId: alice,
    isLocal: true,
    state: 'online',
    lastActiveTs: world.clock.now(),
    statusMsg: null,
    isCurrentlyActive: true,
  };
  world.present.set(aliceNid, presence);
  const usersIn = (destination: string) =>
    edusFor('m.presence', destination).flatMap(({ push }) =>
      (push as { user_id: string }[]).map((entry) => entry.user_id),
    );
  await world.join(roomId, '@dora:new.test');
  await eventually(async () => assert.deepEqual(usersIn('new.test'), [alice]));
  await world.join(roomId, '@erik:new.test');
  await world.join(roomId, '@fred:newer.test');
  await eventually(async () => assert.deepEqual(usersIn('newer.test'), [alice]));
  assert.deepEqual(usersIn('new.test'), [alice], 'once');
  assert.deepEqual(usersIn(them), [], 'which is there already');

  const gina = '@gina:us.test';
  await world.append(roomId, joining(gina));
  const ginaNid = (await world.interned.find(gina))!;
  await world.append(roomId, { ...joining(gina), content: { membership: 'leave' } });
  world.present.set(ginaNid, { ...presence, userNid: ginaNid, userId: gina });
  await world.append(roomId, joining(gina));
  await eventually(async () => assert.deepEqual(usersIn(them), [gina]));
  await eventually(async () => assert.deepEqual(usersIn('new.test'), [alice, gina]));
});
