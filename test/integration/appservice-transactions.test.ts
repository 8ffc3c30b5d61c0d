import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BridgeClient, registrationOf, startBridge, type Bridge } from '../harness/bridge.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let folder: string;
let server: TestServer;
let irc: Bridge;
let slow: Bridge;
let alice: TestClient;
let bot: BridgeClient;

const ircRest = (users: string) => `
receive_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
namespaces:
  users: [{exclusive: true, regex: '${users}'}]
  aliases: [{exclusive: true, regex: '#irc_.*'}]
`;
const slowRest = `namespaces: {rooms: [{exclusive: false, regex: '.*'}]}`;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-bridges-'));
  [irc, slow] = [await startBridge('irc'), await startBridge('slow')];
  await writeFile(join(folder, 'irc.yaml'), registrationOf('irc', irc.url, ircRest('@irc_.*')));
  await writeFile(join(folder, 'slow.yaml'), registrationOf('slow', slow.url, slowRest));
  const files = ['irc', 'slow'].map((id) => JSON.stringify(join(folder, `${id}.yaml`)));
  const options = `
app_service_config_files: [${files.join(', ')}]
use_appservice_legacy_authorization: true
track_appservice_user_ips: true
`;
  server = await startTestServer(options, ['appservice']);
  alice = await TestClient.register(server.url, 'alice');
  bot = new BridgeClient(server.url, 'irc');
  // Until then nobody has begun to send.
  await eventually(async () => {
    const roomId = await alice.createRoom();
    await eventually(async () => assert.ok(hasRoom(slow, roomId)), 20);
  });
});
after(async () => {
  await server.close();
  await Promise.all([irc.stop(), slow.stop()]);
  await rm(folder, { recursive: true, force: true });
});

const hasRoom = (bridge: Bridge, roomId: string) =>
  bridge.events().some((event) => event['room_id'] === roomId);
const bodiesIn = (bridge: Bridge, roomId: string) =>
  bridge
    .events()
    .filter((event) => event['room_id'] === roomId && event['type'] === 'm.room.message')
    .map((event) => (event['content'] as Json)['body'] as string);

async function ghost(prefix: string): Promise<BridgeClient> {
  const username = uniqueName(`irc_${prefix}`);
  await bot.makeUser(username);
  return new BridgeClient(server.url, 'irc', `@${username}:test.example`);
}

test('a bridge gets what happens in rooms while its users are there, in order', async () => {
  const user = await ghost('user');
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await alice.send(roomId, 'before');
  await alice.ok('POST', `${alice.room(roomId)}/invite`, { user_id: user.userId });
  await user.join(roomId);
  for (const text of ['one', 'two', 'three']) {
    // oxlint-disable-next-line no-await-in-loop
    await alice.send(roomId, text);
  }
  await user.send(roomId, 'by the bridge');
  await user.ok('POST', `${user.room(roomId)}/leave`, {});
  await alice.send(roomId, 'after');
  await eventually(async () => assert.ok(bodiesIn(slow, roomId).includes('after')));
  const all = ['before', 'one', 'two', 'three', 'by the bridge', 'after'];
  assert.deepEqual(bodiesIn(slow, roomId), all, 'the one that wants all of the room');
  await eventually(async () => {
    const own = irc.events().filter((event) => event['room_id'] === roomId);
    assert.equal((own.at(-1)!['content'] as Json)['membership'], 'leave');
  });
  assert.deepEqual(bodiesIn(irc, roomId), ['one', 'two', 'three', 'by the bridge']);
  const own = irc.events().filter((event) => event['room_id'] === roomId);
  const memberships = own
    .filter((event) => event['type'] === 'm.room.member')
    .map((event) => (event['content'] as Json)['membership']);
  assert.deepEqual(memberships, ['invite', 'join', 'leave']);
  assert.ok(own.every((event) => typeof event['event_id'] === 'string'));
  const ids = irc.transactions.map(({ txnId }) => Number(txnId));
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  assert.match(
    irc.asked.find((path) => path.includes('/transactions/'))!,
    /access_token=hs.of.irc/,
  );
});

test('a bridge that is away gets everything later, and others do not wait for it', async () => {
  const user = await ghost('away');
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await user.join(roomId);
  await alice.send(roomId, 'first');
  await eventually(async () => assert.deepEqual(bodiesIn(irc, roomId), ['first']));
  irc.status = 503;
  const texts = Array.from({ length: 30 }, (_, i) => `while away ${i}`);
  for (const text of texts) {
    // oxlint-disable-next-line no-await-in-loop
    await alice.send(roomId, text);
  }
  await eventually(async () => assert.equal(bodiesIn(slow, roomId).length, 31));
  assert.deepEqual(bodiesIn(irc, roomId), ['first']);
  irc.status = 200;
  // A ping shows that it is there again: nobody waits for the end of the pause.
  await bot.ok('POST', '/_matrix/client/v1/appservice/irc/ping', {});
  await eventually(async () => assert.deepEqual(bodiesIn(irc, roomId), ['first', ...texts]), 1_000);
});

test('typing, receipts, presence and messages to devices', async () => {
  const user = await ghost('ephemeral');
  const device = new BridgeClient(server.url, 'irc', user.userId, 'BRIDGE');
  await user.ok('GET', '/_matrix/client/v3/account/whoami');
  const put = await user.request('PUT', '/_matrix/client/v3/devices/BRIDGE', { display_name: 'b' });
  assert.equal(put.status, 201);
  const { devices } = await device.ok('GET', '/_matrix/client/v3/devices');
  const [seen] = devices as Json[];
  assert.equal(typeof seen!['last_seen_ip'], 'string', 'track_appservice_user_ips');
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const elsewhere = await alice.createRoom();
  await user.join(roomId);
  const eventId = await alice.send(roomId, 'read this');
  const typing = `/typing/${encodeURIComponent(alice.userId)}`;
  await alice.ok('PUT', alice.room(elsewhere) + typing, { typing: true, timeout: 20_000 });
  await alice.ok('PUT', alice.room(roomId) + typing, { typing: true, timeout: 20_000 });
  const receipt = `/${encodeURIComponent(eventId)}`;
  await alice.ok('POST', `${alice.room(roomId)}/receipt/m.read.private${receipt}`, {});
  await user.ok('POST', `${user.room(roomId)}/receipt/m.read${receipt}`, {});
  const presence = `/_matrix/client/v3/presence/${encodeURIComponent(alice.userId)}/status`;
  await alice.ok('PUT', presence, { presence: 'unavailable', status_msg: 'busy' });
  const of = (type: string) => irc.items('ephemeral').filter((one) => one['type'] === type);
  await eventually(async () => {
    const told = of('m.typing').filter((one) => one['room_id'] === roomId);
    assert.deepEqual((told[0]!['content'] as Json)['user_ids'], [alice.userId]);
    const receipts = of('m.receipt').filter((one) => one['room_id'] === roomId);
    assert.ok(JSON.stringify(receipts).includes(user.userId));
    const texts = JSON.stringify(of('m.presence').filter((one) => one['sender'] === alice.userId));
    assert.ok(texts.includes('busy'));
  });
  assert.ok(!JSON.stringify(of('m.receipt')).includes('m.read.private'));
  assert.ok(!of('m.typing').some((one) => one['room_id'] === elsewhere));
  assert.deepEqual(slow.items('ephemeral'), []);

  await device.ok('POST', '/_matrix/client/v3/keys/upload', {
    one_time_keys: { 'signed_curve25519:AAAA': { key: 'abc', signatures: {} } },
  });
  await alice.ok('PUT', '/_matrix/client/v3/sendToDevice/m.secret/s1', {
    messages: { [user.userId]: { BRIDGE: { is: 'for you' } }, [alice.userId]: { '*': {} } },
  });
  await eventually(async () => {
    assert.deepEqual(irc.items('de.sorunome.msc2409.to_device'), [
      {
        type: 'm.secret',
        sender: alice.userId,
        content: { is: 'for you' },
        to_user_id: user.userId,
        to_device_id: 'BRIDGE',
      },
    ]);
    const counts = irc.transactions.flatMap(
      (one) => (one['org.matrix.msc3202.device_one_time_key_counts'] as Json | undefined) ?? [],
    );
    const own = counts.flatMap((one) => (one[user.userId] as Json | undefined)?.['BRIDGE'] ?? []);
    assert.deepEqual(own.at(-1), { signed_curve25519: 1 });
  });
  const sync = await eventually(async () => {
    const found = await device.sync({ timeout: '0' });
    assert.equal((found['to_device'] as Json | undefined)?.['events']?.length ?? 0, 0);
    return found;
  });
  assert.equal(typeof sync['next_batch'], 'string', 'what it has taken is not kept any longer');
});

test('who has other devices, and who has come to the rooms of a bridge or left them', async () => {
  const user = await ghost('lists');
  const bob = await TestClient.register(server.url, 'bob');
  const stranger = await TestClient.register(server.url, 'stranger');
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await user.join(roomId);
  await bob.join(roomId);
  const lists = (name: string) =>
    irc.transactions.flatMap(
      (one) => (one['org.matrix.msc3202.device_lists'] as Json | undefined)?.[name] as string[],
    );
  await eventually(async () => assert.ok(lists('changed').includes(bob.userId)));
  await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
  await eventually(async () => assert.ok(lists('left').includes(bob.userId)));
  assert.ok(!lists('changed').includes(stranger.userId));
});

test('a bridge makes rooms and users when they are asked for', async () => {
  const asked: string[] = [];
  let aliasRoom = '';
  irc.onQuery = async (kind, id) => {
    asked.push(`${kind} ${id}`);
    if (id.includes('nobody')) return 404;
    if (kind === 'rooms') {
      const name = id.slice(1).split(':')[0];
      aliasRoom = await bot.createRoom({ preset: 'public_chat', room_alias_name: name });
    } else {
      const user = new BridgeClient(server.url, 'irc', id);
      await bot.makeUser(id.slice(1).split(':')[0]!);
      const path = `/_matrix/client/v3/profile/${encodeURIComponent(id)}/displayname`;
      await user.ok('PUT', path, { displayname: 'from the bridge' });
    }
    return 200;
  };
  const directory = (alias: string) =>
    `/_matrix/client/v3/directory/room/${encodeURIComponent(alias)}`;
  const alias = `#${uniqueName('irc_room')}:test.example`;
  assert.equal((await alice.ok('GET', directory(alias)))['room_id'], aliasRoom);
  const joined = `#${uniqueName('irc_joined')}:test.example`;
  await alice.join(joined);
  assert.equal(
    await alice.refused('GET', directory('#irc_nobody:test.example')),
    '404 M_NOT_FOUND',
  );
  assert.equal(await alice.refused('GET', directory('#other:test.example')), '404 M_NOT_FOUND');

  const shown = `@${uniqueName('irc_shown')}:test.example`;
  const profile = (userId: string) => `/_matrix/client/v3/profile/${encodeURIComponent(userId)}`;
  assert.equal((await alice.ok('GET', profile(shown)))['displayname'], 'from the bridge');
  assert.equal(await alice.refused('GET', profile('@irc_nobody:test.example')), '404 M_NOT_FOUND');
  const invited = `@${uniqueName('irc_invited')}:test.example`;
  const roomId = await alice.createRoom({ invite: [invited] });
  const member = `${alice.room(roomId)}/state/m.room.member/${encodeURIComponent(invited)}`;
  assert.equal((await alice.ok('GET', member))['displayname'], 'from the bridge');
  assert.deepEqual(asked, [
    `rooms ${alias}`,
    `rooms ${joined}`,
    'rooms #irc_nobody:test.example',
    `users ${shown}`,
    'users @irc_nobody:test.example',
    `users ${invited}`,
  ]);
});

test('aliases and users that a bridge has for itself are nobody else’s', async () => {
  irc.onQuery = () => 404;
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const user = await ghost('aliases');
  await user.join(roomId);
  const path = (name: string) =>
    `/_matrix/client/v3/directory/room/${encodeURIComponent(`#${name}:test.example`)}`;
  const body = { room_id: roomId };
  const name = uniqueName('irc_alias');
  assert.equal(await alice.refused('PUT', path(name), body), '400 M_EXCLUSIVE');
  assert.equal(
    await alice.refused('POST', '/_matrix/client/v3/createRoom', { room_alias_name: name }),
    '400 M_EXCLUSIVE',
  );
  assert.equal(await user.refused('PUT', path(uniqueName('other')), body), '400 M_EXCLUSIVE');
  await user.ok('PUT', path(name), body);
  assert.equal(await alice.refused('DELETE', path(name)), '400 M_EXCLUSIVE');
  // Rooms with such an alias are of interest, whoever is there.
  await user.ok('POST', `${user.room(roomId)}/leave`, {});
  await alice.send(roomId, 'under an alias');
  await eventually(async () => assert.ok(bodiesIn(irc, roomId).includes('under an alias')));
  await bot.ok('DELETE', path(name));
  await alice.send(roomId, 'without');
  await eventually(async () => assert.ok(bodiesIn(slow, roomId).includes('without')));
  assert.ok(!bodiesIn(irc, roomId).includes('without'));
  const register = {
    username: 'irc_mine',
    password: 'a password',
    auth: { type: 'm.login.dummy' },
  };
  const anybody = new TestClient(server.url);
  const refusal = await anybody.refused('POST', '/_matrix/client/v3/register', register);
  assert.equal(refusal, '400 M_EXCLUSIVE');
});

test('registrations are read again when they change, by every process', async () => {
  const other = new BridgeClient(server.url, 'irc', `@${uniqueName('xmpp_a')}:test.example`);
  const whoAmI = '/_matrix/client/v3/account/whoami';
  assert.equal(await other.refused('GET', whoAmI), '403 M_FORBIDDEN');
  const file = join(folder, 'irc.yaml');
  await writeFile(file, 'id: [broken');
  await writeFile(file, registrationOf('irc', irc.url, ircRest('@(irc|xmpp)_.*')));
  await eventually(async () => {
    await bot.makeUser(other.userId.slice(1).split(':')[0]!);
    await other.ok('GET', whoAmI);
  }, 1_000);
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  // Each of the processes looks for itself.
  await eventually(() => other.join(roomId), 1_000);
  await eventually(async () => {
    await alice.send(roomId, 'to the new ones');
    assert.ok(bodiesIn(irc, roomId).length > 0);
  }, 1_000);
});
