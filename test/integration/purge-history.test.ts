import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let admin: TestClient;
let alice: TestClient;
let bob: TestClient;

before(async () => {
  server = await startTestServer();
  [admin, alice, bob] = await Promise.all([
    registerAdmin(server.url),
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

const v1 = '/_synapse/admin/v1';
const at = (roomId: string, eventId?: string) =>
  [`${v1}/purge_history`, roomId, ...(eventId === undefined ? [] : [eventId])]
    .map((part, i) => (i === 0 ? part : encodeURIComponent(part)))
    .join('/');

async function purge(path: string, wish: Json): Promise<void> {
  const { purge_id: id } = await admin.ok('POST', path, wish);
  await eventually(async () => {
    assert.deepEqual(await admin.ok('GET', `${v1}/purge_history_status/${id}`), {
      status: 'complete',
    });
  }, 1_000);
}

/** Bodies of all messages that a client finds by going back, and types of the state. */
async function pagedBack(client: TestClient, roomId: string) {
  const bodies: string[] = [];
  const types: string[] = [];
  for (let from = ''; ;) {
    // oxlint-disable-next-line no-await-in-loop -- page by page
    const page = await client.ok('GET', `${client.room(roomId)}/messages?dir=b&limit=3${from}`);
    for (const event of page['chunk'] as Json[]) {
      if (event['state_key'] === undefined) bodies.push(String(event['content'].body));
      else types.push(event['type'] as string);
    }
    if (page['end'] === undefined) return { bodies, types };
    from = `&from=${page['end']}`;
  }
}

describe('old messages', () => {
  test('go, and state stays as it was everywhere', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat', name: 'first name' });
    const word = uniqueName('word');
    const root = await alice.send(roomId, `${word} root`);
    await alice.setState(roomId, 'm.room.name', { name: 'second name' });
    await alice.send(roomId, `${word} two`);
    await bob.join(roomId);
    const kept = await bob.send(roomId, `${word} kept`);
    await alice.setState(roomId, 'm.room.name', { name: 'third name' });
    await alice.ok('PUT', `${alice.room(roomId)}/send/m.room.message/in-thread`, {
      msgtype: 'm.text',
      body: 'reply',
      'm.relates_to': { rel_type: 'm.thread', event_id: root },
    });
    await alice.send(roomId, `${word} last`);
    const { next_batch: since } = await bob.syncUntil({}, (sync) =>
      sync['rooms']?.join?.[roomId]?.timeline.events.some((e: Json) =>
        String(e['content'].body).endsWith('last'),
      ),
    );
    const before = await pagedBack(bob, roomId);
    assert.equal(before.bodies.length, 5);
    const stateOf = async (eventId: string) => {
      const path = `${alice.room(roomId)}/context/${encodeURIComponent(eventId)}?limit=0`;
      const { state } = await alice.ok('GET', path);
      return (state as Json[]).map((event) => event['event_id'] as string).toSorted();
    };
    const stateBefore = await stateOf(kept);
    await purge(at(roomId, kept), { delete_local_events: true });
    const now = await eventually(async () => {
      const paged = await pagedBack(bob, roomId);
      assert.equal(paged.bodies.length, 3);
      return paged;
    });
    assert.deepEqual(now.bodies, [`${word} last`, 'reply', `${word} kept`]);
    assert.deepEqual(now.types, before.types);
    assert.deepEqual(await stateOf(kept), stateBefore);
    const gone = `${alice.room(roomId)}/event/${encodeURIComponent(root)}`;
    assert.equal(await alice.refused('GET', gone), '404 M_NOT_FOUND');
    const { search_categories: found } = await alice.ok('POST', '/_matrix/client/v3/search', {
      search_categories: { room_events: { search_term: word } },
    });
    assert.equal(found.room_events.count, 2);
    const carol = await TestClient.register(server.url, 'carol');
    await carol.join(roomId);
    assert.deepEqual((await pagedBack(carol, roomId)).bodies, now.bodies);
    await alice.send(roomId, 'and on');
    await bob.syncUntil({ since }, (sync) =>
      sync['rooms']?.join?.[roomId]?.timeline.events.some(
        (e: Json) => e['content'].body === 'and on',
      ),
    );
  });

  test('of this server’s users stay unless it is said', async () => {
    const roomId = await alice.createRoom({});
    await alice.send(roomId, 'ours');
    const last = await alice.send(roomId, 'last');
    await purge(at(roomId), { purge_up_to_event_id: last });
    assert.deepEqual((await pagedBack(alice, roomId)).bodies, ['last', 'ours']);
    await purge(at(roomId), { purge_up_to_ts: Date.now() + 60_000, delete_local_events: true });
    await eventually(async () => {
      assert.deepEqual((await pagedBack(alice, roomId)).bodies, ['last']);
    });
  });

  test('are not deleted by wrong requests', async () => {
    const [roomId, other] = [await alice.createRoom({}), await alice.createRoom({})];
    const elsewhere = await alice.send(other, 'elsewhere');
    const refused = (path: string, wish: Json) => admin.refused('POST', path, wish);
    assert.equal(await refused(at(roomId), {}), '400 M_BAD_JSON');
    assert.equal(await refused(at(roomId), { purge_up_to_ts: 'now' }), '400 M_BAD_JSON');
    assert.equal(await refused(at(roomId), { purge_up_to_ts: 1 }), '404 M_NOT_FOUND');
    assert.equal(await refused(at(roomId, elsewhere), {}), '400 M_UNKNOWN');
    assert.equal(await refused(at(roomId, '$unknown'), {}), '404 M_NOT_FOUND');
    assert.equal(await refused(at('!none:test.example', elsewhere), {}), '404 M_NOT_FOUND');
    assert.equal(await admin.refused('GET', `${v1}/purge_history_status/none`), '404 M_NOT_FOUND');
    assert.equal(await alice.refused('POST', at(roomId), {}), '403 M_FORBIDDEN');
  });
});
