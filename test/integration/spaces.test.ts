import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;

before(async () => {
  server = await startTestServer();
  [alice, bob] = await Promise.all([
    TestClient.register(server.url, 'alice'),
    TestClient.register(server.url, 'bob'),
  ]);
});
after(() => server.close());

const v1 = '/_matrix/client/v1';
const makeSpace = (wish: Json = {}) =>
  alice.createRoom({ preset: 'public_chat', creation_content: { type: 'm.space' }, ...wish });
const makeRoom = (wish: Json = {}) => alice.createRoom({ preset: 'public_chat', ...wish });
const link = (space: string, child: string, more: Json = {}) =>
  alice.setState(space, 'm.space.child', { via: ['test.example'], ...more }, child);
const treePath = (roomId: string, query = '') =>
  `${v1}/rooms/${encodeURIComponent(roomId)}/hierarchy${query}`;
const tree = (client: TestClient, roomId: string, query = '') =>
  client.ok('GET', treePath(roomId, query));
const idsOf = (answer: Json) => (answer['rooms'] as Json[]).map((room) => room['room_id']);

describe('the tree of a space', () => {
  test('is walked in the order of the children, through spaces in spaces, each room once', async () => {
    const [root, inner, one, two, three, four] = await Promise.all([
      makeSpace({ name: 'root', topic: 'all of it' }),
      makeSpace(),
      makeRoom(),
      makeRoom(),
      makeRoom(),
      makeRoom(),
    ]);
    await link(root, one, { order: 'b' });
    await link(root, inner, { order: 'a', suggested: true });
    await link(root, two);
    await link(inner, three, { suggested: true });
    await link(inner, root);
    await link(inner, two);
    await link(one, four);
    const all = await tree(bob, root);
    assert.deepEqual(idsOf(all), [root, inner, three, two, one]);
    const [described] = all['rooms'] as Json[];
    assert.equal(described!['name'], 'root');
    assert.equal(described!['topic'], 'all of it');
    assert.equal(described!['room_type'], 'm.space');
    assert.equal(described!['num_joined_members'], 1);
    const children = described!['children_state'] as Json[];
    assert.deepEqual(
      children.map((event) => event['state_key']),
      [inner, one, two],
    );
    assert.deepEqual(children[0]!['content'], {
      order: 'a',
      suggested: true,
      via: ['test.example'],
    });
    assert.deepEqual(idsOf(await tree(bob, root, '?max_depth=1')), [root, inner, one, two]);
    assert.deepEqual(idsOf(await tree(bob, root, '?suggested_only=true')), [root, inner, three]);
    assert.deepEqual(idsOf(await tree(bob, root, '?max_depth=0')), [root]);
  });

  test('comes in pages that must be asked for alike', async () => {
    const root = await makeSpace();
    const rooms = await Promise.all([makeRoom(), makeRoom(), makeRoom(), makeRoom()]);
    await Promise.all(rooms.map((room, i) => link(root, room, { order: `${i}` })));
    const first = await tree(bob, root, '?limit=2');
    const token = first['next_batch'] as string;
    const second = await tree(bob, root, `?limit=2&from=${token}`);
    const third = await tree(bob, root, `?limit=2&from=${second['next_batch']}`);
    assert.deepEqual([first, second, third].flatMap(idsOf), [root, ...rooms]);
    assert.equal(third['next_batch'], undefined);
    const changed = treePath(root, `?limit=2&from=${token}&suggested_only=true`);
    assert.equal(await bob.refused('GET', changed), '400 M_INVALID_PARAM');
    assert.equal(await bob.refused('GET', treePath(root, '?from=x')), '400 M_INVALID_PARAM');
  });

  test('shows of each room only what the reader may know', async () => {
    const root = await makeSpace();
    const secret = await alice.createRoom({ preset: 'private_chat' });
    const readable = await alice.createRoom({
      preset: 'private_chat',
      initial_state: [
        {
          type: 'm.room.history_visibility',
          state_key: '',
          content: { history_visibility: 'world_readable' },
        },
      ],
    });
    const allow = [{ type: 'm.room_membership', room_id: root }];
    const restricted = await alice.createRoom({
      preset: 'private_chat',
      initial_state: [
        { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } },
      ],
    });
    const rooms = [secret, readable, restricted];
    await Promise.all(rooms.map((room, i) => link(root, room, { order: `${i}` })));
    assert.deepEqual(idsOf(await tree(alice, root)), [root, ...rooms]);
    assert.deepEqual(idsOf(await tree(bob, root)), [root, readable]);
    assert.equal(await bob.refused('GET', treePath(secret)), '403 M_FORBIDDEN');
    await bob.join(root);
    const seen = await tree(bob, root);
    assert.deepEqual(idsOf(seen), [root, readable, restricted]);
    assert.deepEqual((seen['rooms'] as Json[])[2]!['allowed_room_ids'], [root]);
    await alice.setState(root, 'm.space.child', {}, readable);
    assert.deepEqual(idsOf(await tree(bob, root)), [root, restricted]);
  });

  test('is no secret’s hiding place: nothing below a room that is hidden is shown', async () => {
    const root = await makeSpace();
    const hidden = await makeSpace({ preset: 'private_chat' });
    const below = await makeRoom();
    await link(root, hidden);
    await link(hidden, below);
    assert.deepEqual(idsOf(await tree(bob, root)), [root]);
    assert.deepEqual(idsOf(await tree(alice, root)), [root, hidden, below]);
  });
});

describe('the summary of a room', () => {
  const summaryPath = (room: string) => `${v1}/room_summary/${encodeURIComponent(room)}`;

  test('is given by id and alias, to members, others and those without an account', async () => {
    const alias = uniqueName('summary');
    const roomId = await makeRoom({ name: 'shown', room_alias_name: alias, room_version: '11' });
    const own = await alice.ok('GET', summaryPath(roomId));
    assert.equal(own['membership'], 'join');
    assert.equal(own['name'], 'shown');
    assert.equal(own['room_version'], '11');
    const other = await bob.ok('GET', summaryPath(`#${alias}:test.example`));
    assert.equal(other['room_id'], roomId);
    assert.equal(other['membership'], 'leave');
    const anonymous = await new TestClient(server.url).ok('GET', summaryPath(roomId));
    assert.equal(anonymous['membership'], undefined);
    assert.equal(anonymous['join_rule'], 'public');
    const old = '/_matrix/client/unstable/im.nheko.summary/rooms';
    const unstable = await bob.ok('GET', `${old}/${encodeURIComponent(roomId)}/summary`);
    assert.equal(unstable['im.nheko.summary.room_version'], '11');
  });

  test('of a private room is for its members and the invited only', async () => {
    const roomId = await alice.createRoom({ preset: 'private_chat' });
    assert.equal(await bob.refused('GET', summaryPath(roomId)), '404 M_NOT_FOUND');
    assert.equal(await bob.refused('GET', summaryPath('!no:test.example')), '404 M_NOT_FOUND');
    await alice.ok('POST', `${alice.room(roomId)}/invite`, { user_id: bob.userId });
    assert.equal((await bob.ok('GET', summaryPath(roomId)))['membership'], 'invite');
  });
});

test('mutual rooms are those that both are joined to', async () => {
  const [carol, dave] = await Promise.all([
    TestClient.register(server.url, 'carol'),
    TestClient.register(server.url, 'dave'),
  ]);
  const [shared, left, own] = await Promise.all([makeRoom(), makeRoom(), makeRoom()]);
  await Promise.all([carol.join(shared), carol.join(left), carol.join(own)]);
  await Promise.all([dave.join(shared), dave.join(left)]);
  await dave.ok('POST', `${dave.room(left)}/leave`, {});
  const path = (userId: string) => `${v1}/mutual_rooms?user_id=${encodeURIComponent(userId)}`;
  assert.deepEqual(await carol.ok('GET', path(dave.userId)), { joined: [shared], count: 1 });
  const nobody = await carol.ok('GET', path('@nobody:test.example'));
  assert.deepEqual(nobody, { joined: [], count: 0 });
  assert.equal(await carol.refused('GET', path(carol.userId)), '400 M_INVALID_PARAM');
  assert.equal(await carol.refused('GET', path('nonsense')), '400 M_INVALID_PARAM');
});
