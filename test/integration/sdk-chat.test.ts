import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  KnownMembership,
  NotificationCountType,
  Visibility,
  type MatrixClient,
} from 'matrix-js-sdk';
import { messagesIn, startSdkClient, until } from '../harness/sdk.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: MatrixClient;
let bob: MatrixClient;

before(async () => {
  server = await startTestServer();
  [alice, bob] = await Promise.all([
    startSdkClient(server.url, 'alice'),
    startSdkClient(server.url, 'bob'),
  ]);
});
after(async () => {
  alice.stopClient();
  bob.stopClient();
  await server.close();
});

const bobId = () => bob.getUserId()!;
const aliceId = () => alice.getUserId()!;

/** A room with both of them in it. */
async function sharedRoom(): Promise<string> {
  const { room_id: roomId } = await alice.createRoom({
    name: 'Tea',
    invite: [bobId()],
    visibility: Visibility.Private,
  });
  await until(bob, () => bob.getRoom(roomId)?.getMyMembership() === KnownMembership.Invite);
  await bob.joinRoom(roomId);
  await until(bob, () => bob.getRoom(roomId)?.getMyMembership() === KnownMembership.Join);
  await until(alice, () => alice.getRoom(roomId)?.getMember(bobId())?.membership === 'join');
  return roomId;
}

test('two users talk, and one takes something back', async () => {
  const roomId = await sharedRoom();
  assert.equal(bob.getRoom(roomId)!.name, 'Tea');
  const { event_id: oops } = await alice.sendTextMessage(roomId, 'oops');
  await bob.sendTextMessage(roomId, 'pardon?');
  await alice.redactEvent(roomId, oops);
  await alice.sendTextMessage(roomId, 'hello');
  const expected = ['pardon?', 'hello'];
  const isThere = (client: MatrixClient) => () =>
    JSON.stringify(messagesIn(client, roomId)) === JSON.stringify(expected);
  await until(bob, isThere(bob));
  await until(alice, isThere(alice));
});

test('typing is seen', async () => {
  const roomId = await sharedRoom();
  await alice.sendTyping(roomId, true, 20_000);
  await until(bob, () => bob.getRoom(roomId)!.getMember(aliceId())!.typing);
  await alice.sendTyping(roomId, false, 0);
  await until(bob, () => !bob.getRoom(roomId)!.getMember(aliceId())!.typing);
});

test('what is unread is counted until it is read, and others see how far', async () => {
  const roomId = await sharedRoom();
  await alice.sendTextMessage(roomId, 'one');
  await alice.sendTextMessage(roomId, `two for ${bobId().slice(1).split(':')[0]}`);
  const room = () => bob.getRoom(roomId)!;
  await until(
    bob,
    () =>
      room().getUnreadNotificationCount(NotificationCountType.Total) === 2 &&
      room().getUnreadNotificationCount(NotificationCountType.Highlight) === 1,
  );
  const last = room().getLiveTimeline().getEvents().at(-1)!;
  await bob.sendReadReceipt(last);
  await until(bob, () => room().getUnreadNotificationCount(NotificationCountType.Total) === 0);
  await until(alice, () => alice.getRoom(roomId)!.getEventReadUpTo(bobId(), true) === last.getId());
});

test('a room is upgraded and the members find the new one', async () => {
  const roomId = await sharedRoom();
  const { replacement_room: newId } = await alice.upgradeRoom(roomId, '11');
  await until(
    bob,
    () =>
      bob
        .getRoom(roomId)!
        .getLiveTimeline()
        .getState('f' as never)
        ?.getStateEvents('m.room.tombstone', '')
        ?.getContent()['replacement_room'] === newId,
  );
  const create = await alice.getStateEvent(newId, 'm.room.create', '');
  assert.equal(create['predecessor'].room_id, roomId);
  assert.equal(create['room_version'], '11');
});

test('after logging out the token is void', async () => {
  const carol = await startSdkClient(server.url, 'carol');
  carol.stopClient();
  await carol.logout();
  await assert.rejects(carol.whoami(), { errcode: 'M_UNKNOWN_TOKEN' });
});
