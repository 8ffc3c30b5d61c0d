import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import {
  startRemoteServer,
  type RemoteAnswer,
  type RemoteServer,
} from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const v1 = '/_matrix/federation/v1';
const v3 = '/_matrix/client/v3';
const encoded = encodeURIComponent;

let server: TestServer;
let alice: TestClient;
before(async () => {
  server = await startTestServer();
  alice = await TestClient.register(server.url, 'alice');
});
after(() => server.close());

type Answers = Record<string, (query: URLSearchParams, content: JsonObject) => RemoteAnswer>;
type Context = { after(end: () => Promise<void>): void };

/** Another server with answers by path. */
async function remoteWith(t: Context, answers: Answers): Promise<RemoteServer> {
  const remote = await startRemoteServer();
  t.after(() => remote.stop().catch(() => undefined));
  remote.answer = ({ uri, content }) => {
    const url = new URL(uri, 'https://remote');
    const path = decodeURIComponent(url.pathname.slice(v1.length));
    return answers[path]?.(url.searchParams, content) ?? null;
  };
  return remote;
}

describe('profiles of users of other servers', () => {
  const path = (userId: string, field = '') => `${v3}/profile/${encoded(userId)}${field}`;

  test('are asked for there, and remembered for a moment', async (t) => {
    const asked: string[] = [];
    const profile: JsonObject = { displayname: 'Bob', avatar_url: null, 'm.tz': 'Europe/Paris' };
    const remote = await remoteWith(t, {
      '/query/profile'(query) {
        asked.push(query.toString());
        const field = query.get('field');
        return [200, field === null ? profile : { [field]: profile[field] ?? null }];
      },
    });
    const userId = `@bob:${remote.name}`;
    const anyone = new TestClient(server.url);
    const shown = { displayname: 'Bob', 'm.tz': 'Europe/Paris' };
    assert.deepEqual(await alice.ok('GET', path(userId)), shown);
    assert.deepEqual(await anyone.ok('GET', path(userId, '/displayname')), { displayname: 'Bob' });
    assert.deepEqual(await alice.ok('GET', path(userId, '/avatar_url')), {});
    assert.deepEqual(await alice.ok('GET', path(userId, '/m.tz')), { 'm.tz': 'Europe/Paris' });
    assert.equal(await alice.refused('GET', path(userId, '/m.other')), '404 M_NOT_FOUND');
    assert.equal(asked.length, 5);
    assert.ok(asked.every((query) => new URLSearchParams(query).get('user_id') === userId));
  });

  test('are refused as their server refuses them', async (t) => {
    let refusal: RemoteAnswer = [404, { errcode: 'M_NOT_FOUND', error: 'No such user' }];
    const remote = await remoteWith(t, { '/query/profile': () => refusal });
    const userId = `@bob:${remote.name}`;
    const answer = await alice.request('GET', path(userId));
    assert.equal(answer.status, 404);
    assert.equal(answer.body['error'], 'No such user');
    assert.equal(await alice.refused('GET', path(userId, '/displayname')), '404 M_NOT_FOUND');
    refusal = [403, { errcode: 'M_FORBIDDEN', error: 'Not for you' }];
    assert.equal(await alice.refused('GET', path(userId)), '403 M_FORBIDDEN');
    refusal = [400, { errcode: 'M_UNKNOWN', error: 'What?' }];
    assert.equal(await alice.refused('GET', path(userId)), '502 M_UNKNOWN');
    await remote.stop();
    assert.equal(await alice.refused('GET', path(userId)), '502 M_UNKNOWN');
  });
});

describe('aliases of other servers', () => {
  const path = (alias: string) => `${v3}/directory/room/${encoded(alias)}`;

  test('are resolved there', async (t) => {
    const roomId = '!room:remote.example';
    let answer: JsonObject = { room_id: roomId, servers: ['b.example', 7, 'no name', 'b.example'] };
    const remote = await remoteWith(t, {
      '/query/directory': (query) =>
        query.get('room_alias')!.startsWith('#none')
          ? [404, { errcode: 'M_NOT_FOUND', error: 'Room alias not found.' }]
          : [200, answer],
    });
    const anyone = new TestClient(server.url);
    const found = await anyone.ok('GET', path(`#räume:${remote.name}`));
    assert.deepEqual(found, { room_id: roomId, servers: ['b.example'] });
    answer = { room_id: roomId, servers: [] };
    assert.deepEqual((await anyone.ok('GET', path(`#b:${remote.name}`)))['servers'], [remote.name]);
    answer = { room_id: 'no id', servers: [] };
    assert.equal(await anyone.refused('GET', path(`#c:${remote.name}`)), '404 M_NOT_FOUND');
    assert.equal(await anyone.refused('GET', path(`#none:${remote.name}`)), '404 M_NOT_FOUND');
    await remote.stop();
    assert.equal(await anyone.refused('GET', path(`#d:${remote.name}`)), '502 M_UNKNOWN');
  });

  test('lead to rooms of this server too', async (t) => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const remote = await remoteWith(t, {
      '/query/directory': (query) => [
        200,
        { room_id: query.get('room_alias')!.startsWith('#ours') ? roomId : '!else', servers: [] },
      ],
    });
    const alias = `#ours:${remote.name}`;
    const found = await alice.ok('GET', path(alias));
    assert.deepEqual(found, { room_id: roomId, servers: ['test.example', remote.name] });
    const bob = await TestClient.register(server.url, 'bob');
    await bob.join(alias);
    await alice.setState(roomId, 'm.room.canonical_alias', { alias });
    const setTo = (other: string) =>
      alice.refused('PUT', `${alice.room(roomId)}/state/m.room.canonical_alias/`, { alias: other });
    assert.equal(await setTo(`#theirs:${remote.name}`), '400 M_BAD_ALIAS');
  });
});

describe('the room directory of another server', () => {
  const room = (name: string): JsonObject => ({
    room_id: `!${name}:remote.example`,
    name,
    num_joined_members: 3,
    world_readable: true,
    guest_can_join: false,
  });

  test('is shown and searched through this one', async (t) => {
    const remote = await remoteWith(t, {
      '/publicRooms': (query, content) =>
        query.has('limit')
          ? [
              200,
              {
                chunk: [room(query.toString()), 7],
                next_batch: 'more',
                total_room_count_estimate: 9,
              },
            ]
          : [200, { chunk: [room(JSON.stringify(content))] }],
    });
    const of = (more: string) => `${v3}/publicRooms?server=${encoded(remote.name)}${more}`;
    const page = await alice.ok('GET', of('&limit=7&since=x'));
    assert.deepEqual(page, {
      chunk: [room('limit=7&since=x')],
      next_batch: 'more',
      total_room_count_estimate: 9,
    });
    const wish = {
      filter: { generic_search_term: 'a', room_types: [null, 'm.space'] },
      third_party_instance_id: 'irc|net',
      limit: 10_000,
    };
    const found = await alice.ok('POST', of(''), wish);
    const sent = JSON.parse((found['chunk'] as Json[])[0]!['name']) as Json;
    assert.deepEqual(sent, { ...wish, limit: 500 });
    const anyone = new TestClient(server.url);
    assert.equal(await anyone.refused('GET', of('')), '401 M_MISSING_TOKEN');
    const wrong = `${v3}/publicRooms?server=no%20name`;
    assert.equal(await alice.refused('GET', wrong), '400 M_INVALID_PARAM');
  });

  test('is 502 where it cannot be had', async (t) => {
    let answer: RemoteAnswer = [403, { errcode: 'M_FORBIDDEN', error: 'no' }];
    const remote = await remoteWith(t, { '/publicRooms': () => answer });
    const path = `${v3}/publicRooms?server=${encoded(remote.name)}`;
    assert.equal(await alice.refused('GET', path), '502 M_UNKNOWN');
    answer = [200, { rooms: [] }];
    assert.equal(await alice.refused('POST', path, {}), '502 M_UNKNOWN');
    await remote.stop();
    assert.equal(await alice.refused('GET', path), '502 M_UNKNOWN');
  });
});

describe('rooms that this server is not in', () => {
  const described = (roomId: string, more: JsonObject = {}): JsonObject => ({
    room_id: roomId,
    num_joined_members: 2,
    world_readable: false,
    guest_can_join: false,
    join_rule: 'public',
    ...more,
  });
  const childEvent = (roomId: string, via: string, order: string): JsonObject => ({
    type: 'm.space.child',
    state_key: roomId,
    content: { via: [via], order },
    sender: '@bob:remote.example',
    origin_server_ts: 1,
  });
  const treePath = (roomId: string, query = '') =>
    `/_matrix/client/v1/rooms/${encoded(roomId)}/hierarchy${query}`;
  const idsOf = (answer: Json) => (answer['rooms'] as Json[]).map((room) => room['room_id']);
  const link = (space: string, child: string, via: string, order: string) =>
    alice.setState(space, 'm.space.child', { via: [via], order }, child);
  const makeSpace = () =>
    alice.createRoom({ preset: 'public_chat', creation_content: { type: 'm.space' } });

  test('are shown in the tree of a space, as far as the user may know of them', async (t) => {
    const [root, deep] = await Promise.all([
      makeSpace(),
      alice.createRoom({ preset: 'public_chat' }),
    ]);
    const id = (name: string) => `!${uniqueName(name)}:remote.example`;
    const [plain, space, secret, restricted, inner] = ['p', 's', 'x', 'r', 'i'].map(id) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const answerFor = (room: JsonObject, children: JsonObject[] = [], hidden: string[] = []) =>
      [200, { room, children, inaccessible_children: hidden }] as RemoteAnswer;
    const remote = await remoteWith(t, {
      [`/hierarchy/${plain}`]: () =>
        answerFor({ ...described(plain, { name: 'plain' }), children_state: [] }),
      [`/hierarchy/${secret}`]: () =>
        answerFor({ ...described(secret, { join_rule: 'invite' }), children_state: [] }),
      [`/hierarchy/${restricted}`]: () =>
        answerFor({
          ...described(restricted, { join_rule: 'restricted', allowed_room_ids: [root] }),
          children_state: [],
        }),
      [`/hierarchy/${space}`]: () =>
        answerFor(
          {
            ...described(space, { room_type: 'm.space' }),
            children_state: [
              childEvent(inner, remote.name, 'a'),
              childEvent(deep, remote.name, 'b'),
              childEvent('!hidden', remote.name, 'c'),
            ],
          },
          [described(inner, { topic: 'inside' })],
          ['!hidden'],
        ),
    });
    await link(root, plain, remote.name, 'a');
    await link(root, space, remote.name, 'b');
    await link(root, secret, remote.name, 'c');
    await link(root, restricted, remote.name, 'd');
    await link(root, '!nobody', 'test.example', 'e');
    const bob = await TestClient.register(server.url, 'bob');
    const ofAlice = await alice.ok('GET', treePath(root));
    assert.deepEqual(idsOf(ofAlice), [root, plain, space, inner, deep, restricted]);
    assert.equal((ofAlice['rooms'] as Json[])[3]!['topic'], 'inside');
    const ofBob = await bob.ok('GET', treePath(root));
    assert.deepEqual(idsOf(ofBob), [root, plain, space, inner, deep]);
    const first = await bob.ok('GET', treePath(root, '?limit=3'));
    const rest = await bob.ok('GET', treePath(root, `?limit=3&from=${first['next_batch']}`));
    assert.deepEqual([first, rest].flatMap(idsOf), idsOf(ofBob));
    assert.equal(rest['next_batch'], undefined);
    const asked = remote.asked.map(({ uri }) => uri);
    assert.ok(!asked.some((uri) => uri.includes('hidden')), 'what is of no use is not asked for');
    assert.ok(!asked.some((uri) => uri.includes(encoded(inner))), 'nor what was told already');

    const below = await bob.ok('GET', treePath(space, `?via=${encoded(remote.name)}`));
    assert.deepEqual(idsOf(below), [space, inner, deep]);
    assert.equal(await bob.refused('GET', treePath(space)), '403 M_FORBIDDEN');
    const closed = treePath(secret, `?via=${encoded(remote.name)}`);
    assert.equal(await bob.refused('GET', closed), '403 M_FORBIDDEN');
  });

  test('are summed up by servers that are in them', async (t) => {
    const roomId = `!${uniqueName('room')}:remote.example`;
    const secret = `!${uniqueName('secret')}:remote.example`;
    const room = described(roomId, {
      name: 'Room',
      room_version: '11',
      encryption: 'm.megolm.v1.aes-sha2',
    });
    const remote = await remoteWith(t, {
      [`/hierarchy/${roomId}`]: () => [
        200,
        { room: { ...room, children_state: [] }, children: [], inaccessible_children: [] },
      ],
      [`/hierarchy/${secret}`]: () => [
        200,
        {
          room: { ...described(secret, { join_rule: 'invite' }), children_state: [] },
          children: [],
          inaccessible_children: [],
        },
      ],
      '/query/directory': () => [200, { room_id: roomId, servers: [remote.name] }],
    });
    const silent = await startRemoteServer();
    await silent.stop();
    const path = (idOrAlias: string, ...via: string[]) => {
      const query = new URLSearchParams(via.map((one) => ['via', one]));
      return `/_matrix/client/v1/room_summary/${encoded(idOrAlias)}?${query.toString()}`;
    };
    const found = await alice.ok('GET', path(roomId, silent.name, remote.name));
    assert.equal(found['name'], 'Room');
    assert.equal(found['membership'], 'leave');
    assert.equal(found['im.nheko.summary.version'], '11');
    const byAlias = await new TestClient(server.url).ok('GET', path(`#room:${remote.name}`));
    assert.equal(byAlias['room_id'], roomId);
    assert.equal(await alice.refused('GET', path(roomId)), '404 M_NOT_FOUND');
    assert.equal(await alice.refused('GET', path(secret, remote.name)), '404 M_NOT_FOUND');
    assert.equal(await alice.refused('GET', path('!other', remote.name)), '404 M_NOT_FOUND');
  });
});
