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
const globalPath = (client: TestClient, type: string) =>
  `${v3}/user/${client.userId}/account_data/${type}`;
const roomPath = (client: TestClient, roomId: string, more: string) =>
  `${v3}/user/${client.userId}/rooms/${encodeURIComponent(roomId)}/${more}`;

const rules = `${v3}/pushrules/global`;

const typesOf = (events: Json[]) => events.map((event) => event['type'] as string);

/** The room's part of a sync. */
const joinedIn = (sync: Json, roomId: string): Json | undefined => sync['rooms']?.join?.[roomId];

test('global account data: set, read, sync to other devices, and not to others', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const path = globalPath(alice, 'org.example.settings');
  assert.equal(await alice.refused('GET', path), '404 M_NOT_FOUND');
  const before = await alice.sync();
  assert.ok(typesOf(before['account_data'].events).includes('m.push_rules'));
  const content = { colour: 'blue', nested: { deep: [1, 2, '☃'] } };
  await alice.ok('PUT', path, content);
  assert.deepEqual(await alice.ok('GET', path), content);
  const after = await alice.sync({ since: before['next_batch'] });
  assert.deepEqual(after['account_data'].events, [{ type: 'org.example.settings', content }]);
  const unchanged = await alice.sync({ since: after['next_batch'] });
  assert.deepEqual(unchanged['account_data']?.events ?? [], []);
  assert.equal(await bob.refused('GET', path), '403 M_FORBIDDEN');
  assert.equal(await bob.refused('PUT', path, {}), '403 M_FORBIDDEN');
  assert.equal(await alice.refused('PUT', globalPath(alice, 'm.push_rules'), {}), '405 M_BAD_JSON');
  assert.equal(await alice.refused('PUT', path, [1]), '400 M_BAD_JSON');
});

test('account data of a room stays with it', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const [one, two] = [await alice.createRoom(), await alice.createRoom()];
  const { next_batch: since } = await alice.sync();
  const path = roomPath(alice, one, 'account_data/org.example.note');
  await alice.ok('PUT', path, { text: 'mine' });
  assert.deepEqual(await alice.ok('GET', path), { text: 'mine' });
  const other = roomPath(alice, two, 'account_data/org.example.note');
  assert.equal(await alice.refused('GET', other), '404 M_NOT_FOUND');
  const sync = await alice.sync({ since });
  assert.deepEqual(joinedIn(sync, one)!['account_data'].events, [
    { type: 'org.example.note', content: { text: 'mine' } },
  ]);
  assert.equal(joinedIn(sync, two), undefined);
  const filter = JSON.stringify({ room: { account_data: { not_types: ['org.example.*'] } } });
  const without = await alice.sync({ since, filter });
  assert.deepEqual(joinedIn(without, one)?.['account_data']?.events ?? [], []);
});

test('MSC3391: deleted account data is gone for reading and empty for syncs', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const path = globalPath(alice, 'org.example.gone');
  await alice.ok('PUT', path, { a: 1 });
  const { next_batch: since } = await alice.sync();
  await alice.ok('DELETE', path.replace('/v3/', '/unstable/org.matrix.msc3391/'));
  assert.equal(await alice.refused('GET', path), '404 M_NOT_FOUND');
  const sync = await alice.sync({ since });
  assert.deepEqual(sync['account_data'].events, [{ type: 'org.example.gone', content: {} }]);
  const fresh = await alice.sync();
  assert.ok(!typesOf(fresh['account_data'].events).includes('org.example.gone'));
});

test('tags are account data of the room', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom();
  const { next_batch: since } = await alice.sync();
  await alice.ok('PUT', roomPath(alice, roomId, 'tags/m.favourite'), { order: 0.25 });
  await alice.ok('PUT', roomPath(alice, roomId, 'tags/u.work'), {});
  const long = roomPath(alice, roomId, `tags/u.${'x'.repeat(254)}`);
  assert.equal(await alice.refused('PUT', long, {}), '400 M_INVALID_PARAM');
  const tags = { 'm.favourite': { order: 0.25 }, 'u.work': {} };
  assert.deepEqual(await alice.ok('GET', roomPath(alice, roomId, 'tags')), { tags });
  const sync = await alice.sync({ since });
  assert.deepEqual(joinedIn(sync, roomId)!['account_data'].events, [
    { type: 'm.tag', content: { tags } },
  ]);
  await alice.ok('DELETE', roomPath(alice, roomId, 'tags/m.favourite'));
  assert.deepEqual(await alice.ok('GET', roomPath(alice, roomId, 'tags')), {
    tags: { 'u.work': {} },
  });
  const bob = await TestClient.register(server.url, 'bob');
  assert.equal(await bob.refused('GET', roomPath(alice, roomId, 'tags')), '403 M_FORBIDDEN');
});

test('changes at the same time are all kept', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const roomId = await alice.createRoom();
  const names = Array.from({ length: 8 }, (_, i) => `u.tag${i}`);
  await Promise.all([
    ...names.map((name) => alice.ok('PUT', roomPath(alice, roomId, `tags/${name}`), {})),
    ...names.map((name) =>
      alice.ok('PUT', `${rules}/content/${name}`, { pattern: name, actions: ['notify'] }),
    ),
  ]);
  const { tags } = await alice.ok('GET', roomPath(alice, roomId, 'tags'));
  assert.deepEqual(Object.keys(tags as Json).toSorted(), names);
  const { content } = (await alice.ok('GET', `${v3}/pushrules/`))['global'] as Json;
  const ids = (content as Json[]).map((rule) => rule['rule_id'] as string);
  assert.deepEqual(ids.filter((id) => id.startsWith('u.')).toSorted(), names);
});

test('what ignored users say is not in syncs, and comes back when they no longer are', async () => {
  const [alice, troll] = await Promise.all(
    ['alice', 'troll'].map((name) => TestClient.register(server.url, name)),
  );
  const roomId = await alice!.createRoom({ preset: 'public_chat' });
  await troll!.join(roomId);
  const ignored = globalPath(alice!, 'm.ignored_user_list');
  await alice!.ok('PUT', ignored, { ignored_users: { [troll!.userId]: {} } });
  const { next_batch: since } = await alice!.sync();
  const hidden = await troll!.send(roomId, 'hidden');
  const stateEvent = await troll!.setState(
    roomId,
    'm.room.member',
    {
      membership: 'join',
      displayname: 'Still here',
    },
    troll!.userId,
  );
  const seen = await alice!.send(roomId, 'seen');
  const idsIn = (sync: Json) =>
    (joinedIn(sync, roomId)!['timeline'].events as Json[]).map((event) => event['event_id']);
  assert.deepEqual(idsIn(await alice!.sync({ since })), [stateEvent, seen]);
  const invite = await troll!.createRoom({ invite: [alice!.userId] });
  const sync = await alice!.sync({ since });
  assert.equal(sync['rooms']?.invite?.[invite], undefined, 'nor are their invites');
  await alice!.ok('PUT', ignored, { ignored_users: {} });
  assert.ok(idsIn(await alice!.sync()).includes(hidden));
});

test('filters: the same one has the same number; only the owner reads it', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const bob = await TestClient.register(server.url, 'bob');
  const path = `${v3}/user/${alice.userId}/filter`;
  const filter = { room: { timeline: { limit: 3, types: ['m.room.message'] } } };
  const { filter_id: id } = await alice.ok('POST', path, filter);
  assert.equal((await alice.ok('POST', path, filter))['filter_id'], id);
  assert.deepEqual(await alice.ok('GET', `${path}/${id}`), filter);
  assert.equal(await bob.refused('GET', `${path}/${id}`), '403 M_FORBIDDEN');
  assert.equal(await bob.refused('POST', path, filter), '403 M_FORBIDDEN');
  assert.equal(await alice.refused('GET', `${path}/999999`), '404 M_NOT_FOUND');
  const wrong = { room: { timeline: { limit: 'many' } } };
  assert.match(await alice.refused('POST', path, wrong), /^400 /);
  assert.match(await alice.refused('GET', `${v3}/sync?filter=999999`), /^400 /);
});

test('push rules: the defaults, and own ones in their order', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const all = await alice.ok('GET', `${v3}/pushrules/`);
  const { override, underride } = all['global'] as Record<string, Json[]>;
  assert.equal(override![0]!['rule_id'], '.m.rule.master');
  assert.equal(override![0]!['enabled'], false);
  assert.ok(underride!.some((rule) => rule['rule_id'] === '.m.rule.message'));
  const put = (kind: string, id: string, body: Json, query = '') =>
    alice.ok('PUT', `${rules}/${kind}/${id}${query}`, body);
  const actions = ['notify', { set_tweak: 'sound', value: 'default' }];
  await put('content', 'cake', { pattern: 'cake', actions });
  await put('content', 'tea', { pattern: 'tea', actions: ['notify'] });
  await put('content', 'last', { pattern: 'x', actions: [] }, '?after=cake');
  const ids = async () =>
    ((await alice.ok('GET', `${v3}/pushrules/`))['global'].content as Json[])
      .map((rule) => rule['rule_id'] as string)
      .filter((id) => !id.startsWith('.'));
  assert.deepEqual(await ids(), ['tea', 'cake', 'last']);
  await put('content', 'cake', { pattern: 'cake', actions }, '?before=tea');
  assert.deepEqual(await ids(), ['cake', 'tea', 'last']);
  assert.deepEqual(await alice.ok('GET', `${rules}/content/cake`), {
    rule_id: 'cake',
    default: false,
    enabled: true,
    pattern: 'cake',
    actions,
  });
  await alice.ok('DELETE', `${rules}/content/cake`);
  assert.equal(await alice.refused('GET', `${rules}/content/cake`), '404 M_NOT_FOUND');
  assert.equal(await alice.refused('DELETE', `${rules}/content/cake`), '404 M_NOT_FOUND');
});

test('push rules: enabled and actions, and what is refused', async () => {
  const alice = await TestClient.register(server.url, 'alice');
  const { next_batch: since } = await alice.sync();
  const master = `${rules}/override/.m.rule.master`;
  await alice.ok('PUT', `${master}/enabled`, { enabled: true });
  assert.deepEqual(await alice.ok('GET', `${master}/enabled`), { enabled: true });
  const message = `${rules}/underride/.m.rule.message`;
  await alice.ok('PUT', `${message}/actions`, { actions: [] });
  assert.deepEqual(await alice.ok('GET', `${message}/actions`), { actions: [] });
  const sync = await alice.sync({ since });
  const [event] = sync['account_data'].events as Json[];
  assert.equal(event!['type'], 'm.push_rules');
  const shown = (event!['content'].global.override as Json[])[0]!;
  assert.deepEqual([shown['rule_id'], shown['enabled']], ['.m.rule.master', true]);
  const refused = (path: string, body: Json) => alice.refused('PUT', `${rules}/${path}`, body);
  const rule = { pattern: 'x', actions: ['notify'] };
  assert.match(await refused('content/.m.own', rule), /^400 /);
  assert.equal(await refused('other/x', rule), '400 M_INVALID_PARAM');
  assert.equal(await alice.refused('GET', `${rules}/other/x`), '404 M_NOT_FOUND');
  assert.match(await refused('content/x', { actions: ['notify'] }), /^400 /);
  assert.match(await refused('content/x', { pattern: 'x', actions: ['unknown'] }), /^400 /);
  assert.equal(await refused('content/x?after=none', rule), '400 M_UNKNOWN');
  await alice.ok('PUT', `${rules}/content/x`, rule);
  assert.equal(await refused('content/x?before=x', rule), '400 M_UNKNOWN');
  await alice.ok('PUT', `${rules}/content/y`, rule);
  await alice.ok('PUT', `${rules}/content/x/enabled`, { enabled: false });
  await alice.ok('PUT', `${rules}/content/x?before=y`, rule);
  const isEnabled = await alice.ok('GET', `${rules}/content/x/enabled`);
  assert.deepEqual(isEnabled, { enabled: false }, 'a rule that is moved stays off');
  assert.equal(await refused('content/none/enabled', { enabled: true }), '404 M_NOT_FOUND');
  assert.match(await alice.refused('DELETE', master), /^40[04] /);
});
