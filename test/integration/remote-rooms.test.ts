import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { verifyBytes } from '../../src/matrix/signing.ts';
import { signableText } from '../../src/matrix/event-format.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let remote: RemoteServer;
let rooms: RemoteRoom[] = [];
before(async () => {
  remote = await startRemoteServer();
  remote.answer = (request) => {
    if (request.uri.startsWith('/_matrix/federation/v1/send/')) return [200, { pdus: {} }];
    for (const room of rooms) {
      const answer = room.answer(request);
      if (answer) return answer;
    }
    return null;
  };
  server = await startTestServer();
});
after(() => Promise.all([server.close(), remote.stop()]));

function remoteRoom(options: ConstructorParameters<typeof RemoteRoom>[1] = {}): RemoteRoom {
  const room = new RemoteRoom(remote, options);
  rooms = [...rooms, room];
  return room;
}

const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;
const joinPath = (room: RemoteRoom) =>
  `${v3}/join/${encoded(room.roomId)}?via=${encoded(remote.name)}`;
const sync = (client: TestClient, since?: string) =>
  client.ok('GET', `${v3}/sync?timeout=0${since ? `&since=${since}` : ''}`);
const typesOf = (events: Json[]) => events.map((event) => event['type'] as string).toSorted();

/** Types of the events of a room that were sent to the other server. */
const sentTo = ({ roomId }: RemoteRoom) =>
  remote.asked
    .filter(({ uri }) => uri.startsWith('/_matrix/federation/v1/send/'))
    .flatMap(({ content }) => content['pdus'] as JsonObject[])
    .flatMap((pdu) => (pdu['room_id'] === roomId ? (pdu['type'] as string) : []));

for (const version of ['1', '6', '11', '12']) {
  test(`a room of another server, version ${version}, is joined`, async () => {
    const room = remoteRoom({ version });
    room.member(`@other:${remote.name}`, 'join');
    const alice = await TestClient.register(server.url, 'alice');
    const { next_batch: before } = await sync(alice);
    const joined = await alice.ok('POST', joinPath(room), {});
    assert.equal(joined['room_id'], room.roomId);

    const [{ pdu }] = room.taken as [(typeof room.taken)[0]];
    assert.equal(pdu.sender, alice.userId);
    assert.equal(pdu.content['displayname'], alice.userId.slice(1).split(':')[0]);
    const [[keyId, signature]] = Object.entries(pdu.signatures['test.example']!) as [
      [string, string],
    ];
    const keys = await alice.ok('GET', '/_matrix/key/v2/server');
    const { key } = (keys['verify_keys'] as Json)[keyId] as { key: string };
    const message = Buffer.from(signableText(room.version, pdu));
    assert.ok(verifyBytes(message, signature, key));

    const everything = [
      'm.room.create',
      'm.room.join_rules',
      'm.room.member',
      'm.room.member',
      'm.room.member',
      'm.room.name',
      'm.room.power_levels',
    ];
    for (const since of [undefined, before as string]) {
      // oxlint-disable-next-line no-await-in-loop
      const shown = (await sync(alice, since))['rooms'].join[room.roomId] as Json;
      assert.ok(shown, `seen ${since ? 'at once' : 'at first'}`);
      const { state, timeline } = shown as { state: Json; timeline: Json };
      const own = (timeline['events'] as Json[]).at(-1)!;
      assert.equal(own['state_key'], alice.userId);
      assert.deepEqual(typesOf([...state['events'], ...timeline['events']]), everything);
    }
    const path = `${v3}/rooms/${encoded(room.roomId)}`;
    const { joined: members } = await alice.ok('GET', `${path}/joined_members`);
    assert.deepEqual(
      Object.keys(members as Json).toSorted(),
      [room.creator, `@other:${remote.name}`, alice.userId].toSorted(),
    );
    const sent = await alice.ok('PUT', `${path}/send/m.room.message/1`, { body: 'here' });
    const event = await alice.ok('GET', `${path}/event/${encoded(sent['event_id'] as string)}`);
    assert.equal(event['content'].body, 'here');
    await eventually(async () => {
      const told = sentTo(room);
      assert.deepEqual(told, ['m.room.message'], 'the join is known there');
    });
    const bob = await TestClient.register(server.url, 'bob');
    await bob.ok('POST', joinPath(room), {});
    assert.equal(room.taken.length, 1, 'by then this server is in the room');
  });
}

test('a room cannot be joined that nobody knows, or that does not hold together', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const nobody = `${v3}/join/${encoded('!nothing:test.example')}`;
  assert.equal(await alice.refused('POST', nobody, {}), '404 M_NOT_FOUND');
  const gone = `${v3}/join/${encoded('!x:x')}?via=localhost:1`;
  assert.equal(await alice.refused('POST', gone, {}), '502 M_UNKNOWN');
  const { joined_rooms: joinedRooms } = await alice.ok('GET', `${v3}/joined_rooms`);
  assert.deepEqual(joinedRooms, []);

  const forged = remoteRoom();
  const honest = forged.answer.bind(forged);
  forged.answer = (request) => {
    const answer = honest(request);
    if (answer && request.method === 'PUT') {
      const { state } = answer[1] as { state: JsonObject[] };
      for (const event of state) event['signatures'] = {};
    }
    return answer;
  };
  assert.equal(await alice.refused('POST', joinPath(forged), {}), '502 M_UNKNOWN');
  const closed = remoteRoom();
  closed.answer = (request) =>
    request.uri.includes(encoded(closed.roomId))
      ? [403, { errcode: 'M_FORBIDDEN', error: 'No' }]
      : null;
  assert.equal(await alice.refused('POST', joinPath(closed), {}), '403 M_FORBIDDEN');
});

/** Invites a user to a remote room, as its server does. */
async function inviteBy(room: RemoteRoom, client: TestClient, changes: JsonObject = {}) {
  const wish = { type: 'm.room.member', sender: room.creator, stateKey: client.userId };
  const event = room.build({ ...wish, content: { membership: 'invite' } });
  const path = `/_matrix/federation/v2/invite/${encoded(room.roomId)}/${encoded(event.eventId)}`;
  const shown = [...room.state.values()].map(room.pdu);
  const answer = await remote.request(server.url, 'PUT', path, {
    room_version: room.version.id,
    event: room.pdu(event),
    invite_room_state: shown,
    ...changes,
  });
  if (answer.status === 200) room.take(event);
  return answer;
}

test('an invite to a room of another server is shown, and taken', async () => {
  const room = remoteRoom({ joinRule: 'invite', version: '12' });
  const alice = await TestClient.register(server.url, 'alice');
  const { next_batch: before } = await sync(alice);
  const { status, body } = await inviteBy(room, alice);
  assert.equal(status, 200);
  const signatures = (body['event'] as Json)['signatures'] as Json;
  assert.deepEqual(Object.keys(signatures).toSorted(), [remote.name, 'test.example'].toSorted());
  for (const since of [undefined, before as string]) {
    // oxlint-disable-next-line no-await-in-loop
    const invited = (await sync(alice, since))['rooms'].invite[room.roomId] as Json;
    const events = invited['invite_state'].events as Json[];
    const name = events.find((event) => event['type'] === 'm.room.name')!;
    assert.deepEqual(name['content'], { name: 'Elsewhere' });
    assert.ok(events.some((event) => event['state_key'] === alice.userId));
  }
  const { next_batch: since } = await sync(alice);
  await alice.ok('POST', `${v3}/rooms/${encoded(room.roomId)}/join`, {});
  const { rooms: shown } = await sync(alice, since as string);
  assert.ok(shown.join[room.roomId]);
  assert.equal(shown.join[room.roomId].timeline.events.at(-1).content.membership, 'join');
});

test('an invite is turned down, heard or unheard', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const room = remoteRoom({ joinRule: 'invite' });
  await inviteBy(room, alice);
  const { next_batch: since } = await sync(alice);
  await alice.ok('POST', `${v3}/rooms/${encoded(room.roomId)}/leave`, {});
  assert.equal(room.taken.at(-1)?.kind, 'leave');
  const { rooms: shown } = await sync(alice, since as string);
  assert.ok(shown.leave[room.roomId]);
  assert.ok(!(await sync(alice))['rooms']?.invite?.[room.roomId]);

  const silent = remoteRoom({ joinRule: 'invite' });
  await inviteBy(silent, alice);
  silent.answer = () => null;
  await alice.ok('POST', `${v3}/rooms/${encoded(silent.roomId)}/leave`, {});
  assert.ok(!(await sync(alice))['rooms']?.invite?.[silent.roomId]);
  const again = await inviteBy(silent, alice);
  assert.equal(again.status, 200);
  assert.ok((await sync(alice))['rooms'].invite[silent.roomId], 'invited anew');
});

test('an invite that is none is refused', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const room = remoteRoom({ version: '12' });
  const nobody = new TestClient(server.url);
  nobody.userId = '@nobody-here:test.example';
  assert.equal((await inviteBy(room, nobody)).status, 403);
  const unknown = await inviteBy(room, alice, { room_version: 'new' });
  assert.equal(unknown.body['errcode'], 'M_INCOMPATIBLE_ROOM_VERSION');
  const noCreate = await inviteBy(room, alice, { invite_room_state: [] });
  assert.equal(noCreate.body['errcode'], 'M_MISSING_PARAM');
  const message = room.build({ type: 'm.x', sender: room.creator, content: {} });
  const other = await inviteBy(room, alice, { event: room.pdu(message) });
  assert.equal(other.body['errcode'], 'M_INVALID_PARAM');
  assert.ok(!(await sync(alice))['rooms']?.invite?.[room.roomId]);
});

test('a user knocks at a room of another server, and is let in', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const room = remoteRoom({ joinRule: 'knock' });
  const path = `${v3}/knock/${encoded(room.roomId)}?via=${encoded(remote.name)}`;
  assert.equal((await alice.ok('POST', path, { reason: 'please' }))['room_id'], room.roomId);
  assert.equal(room.taken.at(-1)?.pdu.content['reason'], 'please');
  const knocked = (await sync(alice))['rooms'].knock[room.roomId] as Json;
  assert.ok(typesOf(knocked['knock_state'].events as Json[]).includes('m.room.name'));
  await inviteBy(room, alice);
  await alice.ok('POST', `${v3}/rooms/${encoded(room.roomId)}/join`, {});
  assert.equal(room.taken.at(-1)?.kind, 'join');
});
