import assert from 'node:assert/strict';
import { eventually } from '../harness/eventually.ts';
import { after, before, describe, it } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const joined = (sync: Json, roomId: string) => (sync['rooms']?.join?.[roomId] ?? {}) as Json;
const hasPart = (part: string, roomId: string) => (sync: Json) =>
  ((joined(sync, roomId)[part]?.events ?? []) as Json[]).length > 0;
const bodies = (events: Json[]) =>
  events
    .filter((event) => event['type'] === 'm.room.message')
    .map((event) => event['content'].body);

describe('two users in a room', () => {
  it('invite, join, talk, and see each other’s messages', async () => {
    const [alice, bob] = await Promise.all([
      TestClient.register(server.url, 'alice'),
      TestClient.register(server.url, 'bob'),
    ]);
    const roomId = await alice.createRoom({ name: 'Tea', invite: [bob.userId] });
    const invited = await bob.sync();
    const stripped = invited['rooms'].invite[roomId].invite_state.events as Json[];
    assert.ok(stripped.some((event) => event['type'] === 'm.room.name'));
    await bob.join(roomId);
    const start = await bob.sync();
    await alice.send(roomId, 'hello');
    const query = { since: start['next_batch'] as string };
    const next = await bob.syncUntil(query, hasPart('timeline', roomId));
    assert.deepEqual(bodies(joined(next, roomId)['timeline'].events), ['hello']);
    assert.equal(joined(next, roomId)['unread_notifications'].notification_count, 1);
  });

  it('a long poll is woken by a message and by typing, and by nothing else', async () => {
    const [alice, bob] = await Promise.all([
      TestClient.register(server.url),
      TestClient.register(server.url),
    ]);
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const elsewhere = await alice.createRoom();
    await bob.join(roomId);
    let since = (await bob.sync())['next_batch'] as string;
    await alice.send(elsewhere, 'not for bob');
    const quiet = await bob.sync({ since, timeout: '50' });
    assert.deepEqual(quiet['rooms']?.join ?? {}, {});
    since = quiet['next_batch'];
    const poll = bob.syncUntil({ since, timeout: '10000' }, hasPart('ephemeral', roomId));
    await alice.ok('PUT', `${alice.room(roomId)}/typing/${alice.userId}`, {
      typing: true,
      timeout: 10_000,
    });
    const typing = joined(await poll, roomId)['ephemeral'].events[0];
    assert.deepEqual(typing.content.user_ids, [alice.userId]);
  });

  it('a repeated transaction has its effect once', async () => {
    const alice = await TestClient.register(server.url);
    const roomId = await alice.createRoom();
    const ids = await Promise.all([
      alice.send(roomId, 'once', 'same'),
      alice.send(roomId, 'once', 'same'),
    ]);
    ids.push(await alice.send(roomId, 'once', 'same'));
    assert.equal(new Set(ids).size, 1);
    const page = await alice.ok('GET', `${alice.room(roomId)}/messages?dir=b&limit=50`);
    assert.deepEqual(bodies(page['chunk']), ['once']);
  });

  it('a redaction empties the event for everybody, also in the past', async () => {
    const alice = await TestClient.register(server.url);
    const roomId = await alice.createRoom();
    const eventId = await alice.send(roomId, 'oops');
    await alice.ok('PUT', `${alice.room(roomId)}/redact/${eventId}/r1`, { reason: 'typo' });
    const event = await alice.ok('GET', `${alice.room(roomId)}/event/${eventId}`);
    assert.deepEqual(event['content'], {});
    assert.equal(event['unsigned'].redacted_because.content.reason, 'typo');
  });

  it('gaps are told and can be filled', async () => {
    const alice = await TestClient.register(server.url);
    const roomId = await alice.createRoom();
    const { next_batch: since } = await alice.sync();
    const texts = Array.from({ length: 25 }, (_, i) => `message ${i}`);
    for (const text of texts) await alice.send(roomId, text);
    await eventually(async () => {
      const { timeline: all } = joined(await alice.sync({ since }), roomId);
      assert.equal(bodies(all.events).at(-1), texts.at(-1));
    });
    const filter = JSON.stringify({ room: { timeline: { limit: 5 } } });
    const { timeline } = joined(await alice.sync({ since, filter }), roomId);
    assert.equal(timeline.limited, true);
    assert.deepEqual(bodies(timeline.events), texts.slice(-5));
    const query = new URLSearchParams({ dir: 'b', from: timeline.prev_batch, limit: '20' });
    const page = await alice.ok('GET', `${alice.room(roomId)}/messages?${query.toString()}`);
    assert.deepEqual(bodies(page['chunk']).toReversed(), texts.slice(0, 20));
  });

  it('what came before joining is seen only where the room allows it', async () => {
    const [alice, bob] = await Promise.all([
      TestClient.register(server.url),
      TestClient.register(server.url),
    ]);
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      initial_state: [
        {
          type: 'm.room.history_visibility',
          state_key: '',
          content: { history_visibility: 'joined' },
        },
      ],
    });
    const secret = await alice.send(roomId, 'before');
    await bob.join(roomId);
    await alice.send(roomId, 'after');
    await eventually(async () => {
      const page = await bob.ok('GET', `${bob.room(roomId)}/messages?dir=b&limit=50`);
      assert.deepEqual(bodies(page['chunk']), ['after']);
    });
    assert.equal(
      await bob.refused('GET', `${bob.room(roomId)}/event/${secret}`),
      '404 M_NOT_FOUND',
    );
    assert.deepEqual(bodies(joined(await bob.sync(), roomId)['timeline'].events), ['after']);
  });

  it('those who are not there are kept out', async () => {
    const [alice, eve] = await Promise.all([
      TestClient.register(server.url),
      TestClient.register(server.url),
    ]);
    const roomId = await alice.createRoom();
    const room = eve.room(roomId);
    const path = `${room}/send/m.room.message/1`;
    assert.equal(
      await eve.refused('PUT', path, { body: 'x', msgtype: 'm.text' }),
      '403 M_FORBIDDEN',
    );
    assert.equal(await eve.refused('GET', `${room}/state`), '403 M_FORBIDDEN');
    assert.equal(await eve.refused('GET', `${room}/messages?dir=b`), '403 M_FORBIDDEN');
    assert.equal(await eve.refused('POST', `${room}/join`, {}), '403 M_FORBIDDEN');
  });
});
