import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;
let roomId: string;
let sent = 0;

before(async () => {
  server = await startTestServer();
  [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
  roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
});
after(() => server.close());

const relate = (rel: string, eventId: string, more: Json = {}) => ({
  'm.relates_to': { rel_type: rel, event_id: eventId, ...more },
});

async function sendContent(
  client: TestClient,
  content: Json,
  type = 'm.room.message',
): Promise<string> {
  const path = `${client.room(roomId)}/send/${type}/r${++sent}`;
  return (await client.ok('PUT', path, content))['event_id'] as string;
}

const edit = (client: TestClient, eventId: string, text: string) =>
  sendContent(client, {
    msgtype: 'm.text',
    body: `* ${text}`,
    'm.new_content': { msgtype: 'm.text', body: text },
    ...relate('m.replace', eventId),
  });

const v1 = () => `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}`;
const idsOf = (answer: Json) => (answer['chunk'] as Json[]).map((event) => event['event_id']);

async function related(eventId: string, rest = ''): Promise<Json> {
  return alice.ok('GET', `${v1()}/relations/${encodeURIComponent(eventId)}${rest}`);
}

async function bundled(client: TestClient, eventId: string): Promise<Json> {
  const path = `${client.room(roomId)}/event/${encodeURIComponent(eventId)}`;
  const event = await client.ok('GET', path);
  return (event['unsigned'] as Json)['m.relations'] as Json;
}

/** Asks again until there are so many references: what one ignores other processes hear of later. */
async function referencedBy(client: TestClient, eventId: string, count: number): Promise<Json> {
  for (let attempts = 0; ; attempts++) {
    // oxlint-disable-next-line no-await-in-loop
    const seen = await bundled(client, eventId);
    if (seen['m.reference']['chunk'].length === count || attempts === 500) return seen;
  }
}

describe('the list of relations', () => {
  test('holds what refers to an event, by kind and type', async () => {
    const parent = await alice.send(roomId, 'parent');
    const reference = await sendContent(bob, { body: 'r', ...relate('m.reference', parent) });
    const reaction = await sendContent(
      bob,
      relate('m.annotation', parent, { key: '👍' }),
      'm.reaction',
    );
    const other = await sendContent(bob, { body: 'x', ...relate('m.reference', parent) }, 'a.type');
    assert.deepEqual(idsOf(await related(parent)), [other, reaction, reference]);
    assert.deepEqual(idsOf(await related(parent, '?dir=f')), [reference, reaction, other]);
    assert.deepEqual(idsOf(await related(parent, '/m.reference')), [other, reference]);
    assert.deepEqual(idsOf(await related(parent, '/m.reference/m.room.message')), [reference]);
    assert.deepEqual(idsOf(await related(parent, '/m.thread')), []);
    assert.deepEqual(idsOf(await related(reaction)), []);
  });

  test('comes in pages, in both directions', async () => {
    const parent = await alice.send(roomId, 'parent');
    const children: string[] = [];
    for (let i = 0; i < 7; i++) {
      // oxlint-disable-next-line no-await-in-loop -- their order counts
      children.push(await sendContent(alice, { body: `${i}`, ...relate('m.reference', parent) }));
    }
    for (const direction of ['b', 'f']) {
      const found: unknown[] = [];
      let from = '';
      do {
        // oxlint-disable-next-line no-await-in-loop
        const page = await related(parent, `?dir=${direction}&limit=3${from}`);
        found.push(...idsOf(page));
        from = page['next_batch'] ? `&from=${page['next_batch']}` : '';
      } while (from !== '');
      assert.deepEqual(found, direction === 'f' ? children : children.toReversed());
    }
  });

  test('goes on to the children of children when asked', async () => {
    const parent = await alice.send(roomId, 'parent');
    const reply = await sendContent(alice, { body: 'a', ...relate('m.thread', parent) });
    const reaction = await sendContent(
      bob,
      relate('m.annotation', reply, { key: 'x' }),
      'm.reaction',
    );
    assert.deepEqual(idsOf(await related(parent)), [reply]);
    const all = await related(parent, '?recurse=true');
    assert.deepEqual(idsOf(all), [reaction, reply]);
    assert.equal(all['recursion_depth'], 3);
    assert.deepEqual(idsOf(await related(parent, '/m.annotation?recurse=true')), [reaction]);
  });

  test('is not for strangers, and not of unknown events', async () => {
    const stranger = await TestClient.register(server.url, 'stranger');
    const secret = await alice.createRoom({ preset: 'private_chat' });
    const event = await alice.send(secret, 'secret');
    const path = `/_matrix/client/v1/rooms/${encodeURIComponent(secret)}/relations/`;
    assert.equal(
      await stranger.refused('GET', path + encodeURIComponent(event)),
      '403 M_FORBIDDEN',
    );
    assert.equal(await alice.refused('GET', `${path}%24unknown`), '404 M_NOT_FOUND');
  });
});

describe('bundled aggregations', () => {
  test('show the newest edit by the author, in every endpoint', async () => {
    const parent = await alice.send(roomId, 'original');
    await edit(alice, parent, 'first');
    const second = await edit(alice, parent, 'second');
    await edit(bob, parent, 'not the author');
    await sendContent(alice, { body: 'no new content', ...relate('m.replace', parent) });
    await sendContent(
      alice,
      { body: 'another type', 'm.new_content': { body: 'x' }, ...relate('m.replace', parent) },
      'm.other',
    );
    const seen = await bundled(bob, parent);
    assert.equal(seen['m.replace']['event_id'], second);
    assert.equal(seen['m.replace']['content']['m.new_content']['body'], 'second');
    assert.equal(await bundled(bob, second), undefined);

    const find = (events: Json[]) => events.find((event) => event['event_id'] === parent)!;
    const shows = (events: Json[]) =>
      find(events)['unsigned']['m.relations']['m.replace']['event_id'] as string;
    const messages = await bob.ok('GET', `${bob.room(roomId)}/messages?dir=b&limit=20`);
    assert.equal(shows(messages['chunk'] as Json[]), second);
    const context = await bob.ok(
      'GET',
      `${bob.room(roomId)}/context/${encodeURIComponent(second)}?limit=20`,
    );
    assert.equal(shows(context['events_before'] as Json[]), second);
    const sync = await bob.sync();
    assert.equal(shows(sync['rooms']['join'][roomId]['timeline']['events'] as Json[]), second);
  });

  test('edits of edits and of state count for nothing', async () => {
    const parent = await alice.send(roomId, 'original');
    const first = await edit(alice, parent, 'first');
    await edit(alice, first, 'an edit of the edit');
    assert.equal(await bundled(alice, first), undefined);
    const topic = await alice.setState(roomId, 'm.room.topic', { topic: 'a' });
    await sendContent(
      alice,
      { topic: 'b', 'm.new_content': { topic: 'b' }, ...relate('m.replace', topic) },
      'm.room.topic',
    );
    assert.equal(await bundled(alice, topic), undefined);
  });

  test('references, and nothing of ignored users', async () => {
    const carol = await TestClient.register(server.url, 'carol');
    await carol.join(roomId);
    const parent = await alice.send(roomId, 'parent');
    const one = await sendContent(bob, { body: '1', ...relate('m.reference', parent) });
    const two = await sendContent(carol, { body: '2', ...relate('m.reference', parent) });
    const chunk = (ids: string[]) => ({
      'm.reference': { chunk: ids.map((id) => ({ event_id: id })) },
    });
    assert.deepEqual(await bundled(alice, parent), chunk([one, two]));
    await alice.ok(
      'PUT',
      `/_matrix/client/v3/user/${alice.userId}/account_data/m.ignored_user_list`,
      { ignored_users: { [carol.userId]: {} } },
    );
    assert.deepEqual(await referencedBy(alice, parent, 1), chunk([one]));
    assert.deepEqual(await bundled(bob, parent), chunk([one, two]));
  });

  test('a reader who has left learns of nothing that came later', async () => {
    const dave = await TestClient.register(server.url, 'dave');
    await dave.join(roomId);
    const parent = await alice.send(roomId, 'before');
    const early = await edit(alice, parent, 'early');
    await dave.ok('POST', `${dave.room(roomId)}/leave`, {});
    const late = await edit(alice, parent, 'late');
    assert.equal((await bundled(dave, parent))['m.replace']['event_id'], early);
    assert.equal((await bundled(bob, parent))['m.replace']['event_id'], late);
  });

  test('a redacted event relates to nothing; one that refers to it stays in the list', async () => {
    const parent = await alice.send(roomId, 'original');
    const first = await edit(alice, parent, 'first');
    const second = await edit(alice, parent, 'second');
    await alice.ok(
      'PUT',
      `${alice.room(roomId)}/redact/${encodeURIComponent(second)}/x${++sent}`,
      {},
    );
    assert.equal((await bundled(alice, parent))['m.replace']['event_id'], first);
    assert.deepEqual(idsOf(await related(parent)), [first]);
    await alice.ok(
      'PUT',
      `${alice.room(roomId)}/redact/${encodeURIComponent(parent)}/x${++sent}`,
      {},
    );
    assert.equal(await bundled(alice, parent), undefined);
    assert.deepEqual(idsOf(await related(parent)), [first]);
  });
});

test('the same reaction is refused the second time, but not a repeated request', async () => {
  const parent = await alice.send(roomId, 'parent');
  const reaction = relate('m.annotation', parent, { key: '👍' });
  const path = `${bob.room(roomId)}/send/m.reaction/once`;
  const first = await bob.ok('PUT', path, reaction);
  assert.deepEqual(await bob.ok('PUT', path, reaction), first);
  const again = `${bob.room(roomId)}/send/m.reaction/twice`;
  assert.equal(await bob.refused('PUT', again, reaction), '400 M_DUPLICATE_ANNOTATION');
  await sendContent(alice, reaction, 'm.reaction');
  await sendContent(bob, relate('m.annotation', parent, { key: '👎' }), 'm.reaction');
});

test('what looks like a relation and is none does no harm', async () => {
  const long = `$${'x'.repeat(5_000)}`;
  for (const relatesTo of [
    'text',
    null,
    { rel_type: 1 },
    { rel_type: 'm.thread', event_id: long },
  ]) {
    // oxlint-disable-next-line no-await-in-loop
    const eventId = await sendContent(alice, { body: 'odd', 'm.relates_to': relatesTo });
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await bundled(alice, eventId), undefined);
  }
  const zero = await sendContent(alice, { body: 'odd', ...relate('m.reference', '$a\0b') });
  assert.equal(await bundled(alice, zero), undefined);
});

test('timelines can be narrowed to what is related to, and by what', async () => {
  const own = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(own);
  roomId = own;
  const [one, two] = [await alice.send(own, 'one'), await alice.send(own, 'two')];
  const reply = await sendContent(bob, { body: 'r', ...relate('m.thread', one) });
  const reaction = await sendContent(
    alice,
    relate('m.annotation', two, { key: 'x' }),
    'm.reaction',
  );
  const wanted = async (filter: Json) => {
    const text = encodeURIComponent(JSON.stringify(filter));
    const messages = await alice.ok('GET', `${alice.room(own)}/messages?dir=b&filter=${text}`);
    const sync = await alice.sync({ filter: JSON.stringify({ room: { timeline: filter } }) });
    const timeline = sync['rooms']['join'][own]['timeline']['events'] as Json[];
    const found = idsOf(messages);
    assert.deepEqual(timeline.map((event) => event['event_id'] as string).toReversed(), found);
    return found;
  };
  assert.deepEqual(await wanted({ related_by_rel_types: ['m.thread'] }), [one]);
  assert.deepEqual(await wanted({ related_by_rel_types: ['m.thread', 'm.annotation'] }), [
    two,
    one,
  ]);
  assert.deepEqual(await wanted({ related_by_senders: [bob.userId] }), [one]);
  const mixed = { related_by_rel_types: ['m.thread'], related_by_senders: [alice.userId] };
  assert.deepEqual(await wanted(mixed), []);
  assert.deepEqual(await wanted({ 'org.matrix.msc3874.rel_types': ['m.thread'] }), [reply]);
  const messages = {
    types: ['m.room.message', 'm.reaction'],
    'org.matrix.msc3874.not_rel_types': ['m.thread'],
  };
  assert.deepEqual(await wanted(messages), [reaction, two, one]);
});
