import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startRemoteServer, type RemoteServer } from '../harness/remote-server.ts';
import { isOnWorkers, startTestServer, type TestServer } from '../harness/server.ts';

const v1 = '/_matrix/federation/v1';
const encoded = encodeURIComponent;

let server: TestServer;
let alice: TestClient;
let remote: RemoteServer;
before(async () => {
  server = await startTestServer();
  alice = await TestClient.register(server.url, 'alice');
  remote = await startRemoteServer();
});
after(async () => {
  await remote.stop();
  await server.close();
});

const at = { url: '' };
const get = (uri: string, url = server.url) => remote.request(url, 'GET', v1 + uri);
const ok = async (uri: string, url = server.url) => {
  const { status, body } = await get(uri, url);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
};
const refused = async (uri: string, url = server.url) => {
  const { status, body } = await get(uri, url);
  return `${status} ${body['errcode'] as string}`;
};
const setProfile = (client: TestClient, field: string, value: unknown) => {
  const path = `/_matrix/client/v3/profile/${encoded(client.userId)}/${field}`;
  return client.ok('PUT', path, { [field]: value });
};

test('everybody may ask what runs here', async () => {
  const { server: about } = await new TestClient(server.url).ok('GET', `${v1}/version`);
  assert.equal((about as Json)['name'], 'Lattice');
  assert.match((about as Json)['version'], /^\d+\.\d+\.\d+/);
});

test('questions need a signature, and unknown ones are told apart from unknown answers', async () => {
  const anyone = new TestClient(server.url);
  const path = `${v1}/query/profile?user_id=${encoded(alice.userId)}`;
  assert.equal(await anyone.refused('GET', path), '401 M_UNAUTHORIZED');
  assert.equal(await refused('/query/weather?city=Ulm'), '404 M_UNRECOGNIZED');
});

test('profiles are told with all their fields, or one of them', async () => {
  const user = await TestClient.register(server.url);
  const uri = `/query/profile?user_id=${encoded(user.userId)}`;
  await setProfile(user, 'displayname', 'Alice Cooper');
  await setProfile(user, 'm.tz', 'Europe/Berlin');
  assert.deepEqual(await ok(uri), { displayname: 'Alice Cooper', 'm.tz': 'Europe/Berlin' });
  assert.deepEqual(await ok(`${uri}&field=displayname`), { displayname: 'Alice Cooper' });
  assert.deepEqual(await ok(`${uri}&field=m.tz`), { 'm.tz': 'Europe/Berlin' });
  assert.deepEqual(await ok(`${uri}&field=avatar_url`), {});
  assert.equal(await refused('/query/profile?user_id=@nobody:test.example'), '404 M_NOT_FOUND');
  const strange = ['@a:localhost:http', '@a:else.example', 'alice'];
  const answers = await Promise.all(
    strange.map((id) => refused(`/query/profile?user_id=${encoded(id)}`)),
  );
  assert.deepEqual(
    answers,
    strange.map(() => '400 M_INVALID_PARAM'),
  );
  assert.equal(await refused('/query/profile'), '400 M_MISSING_PARAM');
});

test('aliases are told with the servers of their rooms', async () => {
  const name = uniqueName('room');
  const roomId = await alice.createRoom({ room_alias_name: name });
  const uri = (alias: string) => `/query/directory?room_alias=${encoded(alias)}`;
  const found = await ok(uri(`#${name}:test.example`));
  assert.deepEqual(found, { room_id: roomId, servers: ['test.example'] });
  assert.equal(await refused(uri('#none:test.example')), '404 M_NOT_FOUND');
  assert.equal(await refused(uri(`#${name}:else.example`)), '400 M_INVALID_PARAM');
  assert.equal(await refused(uri('no alias')), '400 M_INVALID_PARAM');
});

test('an OpenID token tells whose it is', async () => {
  const path = `/_matrix/client/v3/user/${encoded(alice.userId)}/openid/request_token`;
  const { access_token: token } = await alice.ok('POST', path, {});
  const anyone = new TestClient(server.url);
  const asked = (query: string) => `${v1}/openid/userinfo${query}`;
  const info = await anyone.ok('GET', asked(`?access_token=${token}`));
  assert.deepEqual(info, { sub: alice.userId });
  assert.equal(await anyone.refused('GET', asked('?access_token=x')), '401 M_UNKNOWN_TOKEN');
  assert.equal(await anyone.refused('GET', asked('')), '401 M_MISSING_TOKEN');
});

test('the room directory is not for other servers unless it says so', async () => {
  assert.equal(await refused('/publicRooms'), '403 M_FORBIDDEN');
  const search = await remote.request(server.url, 'POST', `${v1}/publicRooms`, {});
  assert.equal(search.status, 403);
});

describe('the tree of a space', () => {
  const space = (wish: Json = {}) =>
    alice.createRoom({ preset: 'public_chat', creation_content: { type: 'm.space' }, ...wish });
  const tree = (roomId: string, query = '') => `/hierarchy/${encoded(roomId)}${query}`;

  test('is told one step deep, with what nobody there may know', async () => {
    const [root, inner, open, secret] = await Promise.all([
      space({ name: 'root' }),
      space({ name: 'inner' }),
      alice.createRoom({ preset: 'public_chat', name: 'open' }),
      alice.createRoom({ preset: 'private_chat' }),
    ]);
    const deeper = await alice.createRoom({ preset: 'public_chat' });
    const link = (parent: string, child: string, more: Json) =>
      alice.setState(parent, 'm.space.child', { via: ['test.example'], ...more }, child);
    await link(root, open, { order: 'b', suggested: true });
    await link(root, inner, { order: 'a' });
    await link(root, secret, { order: 'c' });
    await link(root, '!elsewhere:else.example', { order: 'd' });
    await link(inner, deeper, {});
    const answer = await ok(tree(root));
    const { room, children } = answer as { room: Json; children: Json[] };
    assert.equal(room['name'], 'root');
    assert.equal(room['room_type'], 'm.space');
    assert.deepEqual(
      (room['children_state'] as Json[]).map((event) => event['state_key']),
      [inner, open, secret, '!elsewhere:else.example'],
    );
    assert.deepEqual(
      children.map((child) => child['name']),
      ['inner', 'open'],
    );
    assert.deepEqual(answer['inaccessible_children'], [secret]);
    const suggested = await ok(tree(root, '?suggested_only=true'));
    assert.deepEqual(
      (suggested['children'] as Json[]).map((child) => child['room_id']),
      [open],
    );
    assert.deepEqual(suggested['inaccessible_children'], []);
  });

  test('is not told of a room that nobody there may know, or that is not here', async () => {
    const secret = await space({ preset: 'private_chat' });
    assert.equal(await refused(tree(secret)), '404 M_NOT_FOUND');
    assert.equal(await refused(tree('!unknown:test.example')), '404 M_NOT_FOUND');
    const left = await space();
    await alice.ok('POST', `${alice.room(left)}/leave`, {});
    assert.equal(await refused(tree(left)), '404 M_NOT_FOUND');
  });
});

describe('a server that says so', () => {
  let other: TestServer;
  let bob: TestClient;
  before(async () => {
    other = await startTestServer(`
allow_public_rooms_over_federation: true
allow_profile_lookup_over_federation: false
`);
    bob = await TestClient.register(other.url, 'bob');
    at.url = other.url;
  });
  after(() => other.close());

  test('shows its room directory, in pages, and what is searched for', async () => {
    const names = ['one', 'two', 'three'].map((name) => `${name} of the rooms`);
    for (const name of names) {
      // oxlint-disable-next-line no-await-in-loop -- one writer numbers them as they come
      await bob.createRoom({ preset: 'public_chat', visibility: 'public', name });
    }
    const namesIn = (body: Json) => (body['chunk'] as Json[]).map((room) => room['name']);
    const all = await ok('/publicRooms', at.url);
    const ordered = namesIn(all);
    // Several writers number rooms in blocks of their own.
    assert.deepEqual(new Set(ordered), new Set(names));
    if (!isOnWorkers) assert.deepEqual(ordered, names.toReversed());
    assert.equal(all['total_room_count_estimate'], 3);
    assert.deepEqual(namesIn(await ok('/publicRooms?limit=0', at.url)), ordered);
    const first = await ok('/publicRooms?limit=2', at.url);
    const next = encoded(first['next_batch'] as string);
    const second = await ok(`/publicRooms?limit=2&since=${next}`, at.url);
    assert.deepEqual([first, second].flatMap(namesIn), ordered);
    const search = async (content: Json) => {
      const { status, body } = await remote.request(at.url, 'POST', `${v1}/publicRooms`, content);
      return status === 200 ? namesIn(body) : `${status} ${body['errcode'] as string}`;
    };
    assert.deepEqual(await search({ filter: { generic_search_term: 'TWO' } }), [names[1]]);
    assert.deepEqual(await search({ filter: { room_types: ['m.space'] } }), []);
    assert.deepEqual(await search({ include_all_networks: true, limit: 1 }), ordered.slice(0, 1));
    assert.deepEqual(await search({ third_party_instance_id: 'irc|net' }), []);
    const wrong = { include_all_networks: true, third_party_instance_id: 'irc|net' };
    assert.equal(await search(wrong), '400 M_INVALID_PARAM');
    assert.equal(await refused('/publicRooms?since=x', at.url), '400 M_INVALID_PARAM');
  });

  test('does not tell profiles', async () => {
    const uri = `/query/profile?user_id=${encoded(bob.userId)}`;
    assert.equal(await refused(uri, at.url), '403 M_FORBIDDEN');
  });
});
