import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const v3 = '/_matrix/client/v3';

async function deactivate(client: TestClient, erase: boolean): Promise<void> {
  const localpart = client.userId.slice(1).split(':')[0]!;
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: client.userId },
    password: `password of ${localpart}`,
  };
  await client.ok('POST', `${v3}/account/deactivate`, { auth, erase });
}

async function edit(client: TestClient, roomId: string, eventId: string): Promise<void> {
  await client.ok('PUT', `${client.room(roomId)}/send/m.room.message/edit`, {
    msgtype: 'm.text',
    body: '* edited',
    'm.new_content': { msgtype: 'm.text', body: 'edited' },
    'm.relates_to': { rel_type: 'm.replace', event_id: eventId },
  });
}

/** What somebody reads of an event, on every way. */
async function readings(client: TestClient, roomId: string, eventId: string): Promise<Json[]> {
  const room = client.room(roomId);
  const id = encodeURIComponent(eventId);
  const pick = (events: Json[]) => events.find((event) => event['event_id'] === eventId)!;
  const [messages, one, context, sync] = await Promise.all([
    client.ok('GET', `${room}/messages?dir=b&limit=50`),
    client.ok('GET', `${room}/event/${id}`),
    client.ok('GET', `${room}/context/${id}`),
    client.sync({ filter: JSON.stringify({ room: { timeline: { limit: 50 } } }) }),
  ]);
  const timeline = sync['rooms'].join[roomId].timeline.events as Json[];
  return [pick(messages['chunk']), one, context['event'], pick(timeline)];
}

test('what erased users have written is redacted for those who were not there', async () => {
  const [alice, bob, carol] = (await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => TestClient.register(server.url, name)),
  )) as [TestClient, TestClient, TestClient];
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const theirs = await bob.send(roomId, 'a secret');
  await edit(bob, roomId, theirs);
  const mine = await alice.send(roomId, 'mine');
  await deactivate(bob, true);
  await carol.join(roomId);
  for (const event of await readings(carol, roomId, theirs)) {
    assert.deepEqual(event['content'], {});
    assert.equal(event['unsigned']?.['m.relations'], undefined, 'nor is its edit shown');
  }
  for (const event of await readings(alice, roomId, theirs)) {
    const shown = event['unsigned']?.['m.relations']?.['m.replace']?.content ?? event['content'];
    assert.match(shown['body'] as string, /secret|edited/);
  }
  for (const event of await readings(carol, roomId, mine)) {
    assert.equal(event['content'].body, 'mine');
  }
});

test('nor is it found, or shown as the newest of a thread', async () => {
  const [alice, bob, carol] = (await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => TestClient.register(server.url, name)),
  )) as [TestClient, TestClient, TestClient];
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const root = await alice.send(roomId, 'root');
  await bob.ok('PUT', `${bob.room(roomId)}/send/m.room.message/reply`, {
    msgtype: 'm.text',
    body: 'marzipan',
    'm.relates_to': { rel_type: 'm.thread', event_id: root },
  });
  await deactivate(bob, true);
  await carol.join(roomId);
  const newest = async (client: TestClient) => {
    const { chunk } = await client.ok('GET', `/_matrix/client/v1/rooms/${roomId}/threads`);
    const [thread] = chunk as Json[];
    return thread!['unsigned']['m.relations']['m.thread'].latest_event.content.body as unknown;
  };
  assert.equal(await newest(alice), 'marzipan');
  assert.equal(await newest(carol), undefined);
  const found = async (client: TestClient) => {
    const answer = await client.ok('POST', `${v3}/search`, {
      search_categories: { room_events: { search_term: 'marzipan' } },
    });
    return (answer['search_categories']['room_events'].results as Json[]).length;
  };
  assert.equal(await found(alice), 1);
  assert.equal(await found(carol), 0);
});

test('without the wish to be erased all stays as it was', async () => {
  const [alice, bob, carol] = (await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => TestClient.register(server.url, name)),
  )) as [TestClient, TestClient, TestClient];
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const theirs = await bob.send(roomId, 'no secret');
  const profile = `${v3}/profile/${bob.userId}`;
  await bob.ok('PUT', `${profile}/displayname`, { displayname: 'Bob' });
  await deactivate(bob, false);
  assert.deepEqual(await alice.ok('GET', profile), { displayname: 'Bob' });
  assert.deepEqual(await alice.ok('GET', `${profile}/displayname`), { displayname: 'Bob' });
  await carol.join(roomId);
  for (const event of await readings(carol, roomId, theirs)) {
    assert.equal(event['content'].body, 'no secret');
  }
});
