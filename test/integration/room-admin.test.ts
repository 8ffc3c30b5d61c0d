import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { databaseOf } from '../harness/remote-members.ts';
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
const v2 = '/_synapse/admin/v2';
const at = (roomId: string, rest = '') => `${v1}/rooms/${encodeURIComponent(roomId)}${rest}`;
const search = (term: string, more = '') =>
  admin.ok('GET', `${v1}/rooms?search_term=${encodeURIComponent(term)}${more}`);

describe('looking', () => {
  test('rooms are listed with their facts, found by name, alias and id', async () => {
    const name = uniqueName('Garden');
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      visibility: 'public',
      name,
      room_alias_name: name.toLowerCase(),
      creation_content: { 'm.federate': false, type: 'm.space' },
      initial_state: [
        { type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    });
    await bob.join(roomId);
    const {
      rooms,
      total_rooms: total,
      offset,
    } = await eventually(async () => {
      const found = await search(name.toUpperCase());
      assert.equal(found['rooms'][0]?.joined_members, 2);
      return found;
    });
    assert.deepEqual([total, offset], [1, 0]);
    const { version, state_events: count, ...facts } = rooms[0] as Json;
    assert.ok(Number(version) > 0 && count >= 8);
    const expected = {
      room_id: roomId,
      name,
      canonical_alias: `#${name.toLowerCase()}:test.example`,
      joined_members: 2,
      joined_local_members: 2,
      creator: alice.userId,
      encryption: 'm.megolm.v1.aes-sha2',
      federatable: false,
      public: true,
      join_rules: 'public',
      guest_access: null,
      history_visibility: 'shared',
      room_type: 'm.space',
    };
    assert.deepEqual(facts, expected);
    assert.equal((await search(roomId))['rooms'][0].room_id, roomId);
    assert.equal((await search(name, '&public_rooms=false'))['total_rooms'], 0);
    assert.equal((await search(name, '&empty_rooms=true'))['total_rooms'], 0);
    assert.equal(await admin.refused('GET', `${v1}/rooms?search_term=`), '400 M_INVALID_PARAM');
    assert.equal(await admin.refused('GET', `${v1}/rooms?order_by=colour`), '400 M_INVALID_PARAM');
    assert.equal(await alice.refused('GET', `${v1}/rooms`), '403 M_FORBIDDEN');
    const one = await admin.ok('GET', at(roomId));
    const { joined_local_devices: devices, topic, avatar, forgotten, tombstoned } = one;
    assert.deepEqual(
      [devices, topic, avatar, forgotten, tombstoned],
      [2, null, null, false, false],
    );
    assert.equal(one['replacement_room'], null);
    assert.equal(one['name'], name);
    const members = await admin.ok('GET', at(roomId, '/members'));
    assert.deepEqual(members, { members: [alice.userId, bob.userId].toSorted(), total: 2 });
    for (const rest of ['', '/members', '/state', '/messages?dir=b', '/timestamp_to_event?ts=1']) {
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await admin.refused('GET', at('!none:test.example', rest)), '404 M_NOT_FOUND');
    }
  });

  test('every order has a page forwards, backwards, and after it', async () => {
    const name = uniqueName('Order');
    const ids: string[] = [];
    for (const letter of ['b', 'a', 'c']) {
      // oxlint-disable-next-line no-await-in-loop
      ids.push(await alice.createRoom({ name: `${name}${letter}`, preset: 'public_chat' }));
    }
    await bob.join(ids[2]!);
    await alice.setState(ids[2]!, 'm.room.topic', { topic: 'one more' });
    const orders = {
      name: [1, 0, 2],
      alphabetical: [1, 0, 2],
      joined_members: [2],
      size: [2],
      joined_local_members: [2],
      state_events: [2],
      ...Object.fromEntries(
        ['canonical_alias', 'version', 'creator', 'encryption', 'federatable', 'public']
          .concat(['join_rules', 'guest_access', 'history_visibility'])
          .map((order) => [order, []]),
      ),
    };
    await eventually(async () => {
      const byState = (await search(name, '&order_by=state_events'))['rooms'];
      assert.deepEqual([byState.length, byState[0].room_id], [3, ids[2]]);
      assert.equal(byState[0].joined_members, 2);
    });
    for (const [order, expected] of Object.entries(orders)) {
      const list = async (more: string) =>
        (await search(name, `&order_by=${order}${more}`))['rooms'].map((r: Json) =>
          ids.indexOf(r['room_id'] as string),
        );
      // oxlint-disable-next-line no-await-in-loop
      const forwards = await list('&dir=f');
      assert.deepEqual(forwards.slice(0, expected.length), expected, order);
      // oxlint-disable-next-line no-await-in-loop
      assert.deepEqual(await list('&dir=b'), forwards.toReversed(), order);
      // oxlint-disable-next-line no-await-in-loop
      assert.deepEqual(await list('&from=1&limit=1'), [forwards[1]], order);
    }
    const page = await search(name, '&from=1&limit=1');
    assert.deepEqual([page['next_batch'], page['prev_batch'], page['total_rooms']], [2, 0, 3]);
    const beyond = await search(name, '&from=9');
    assert.deepEqual([beyond['rooms'], beyond['total_rooms']], [[], 3]);
  });

  test('admins read what only members may', async () => {
    const roomId = await alice.createRoom({ preset: 'private_chat', name: 'secret' });
    const [first, second] = [await alice.send(roomId, 'one'), await alice.send(roomId, 'two')];
    const state = await admin.ok('GET', at(roomId, '/state?type=m.room.name'));
    assert.equal(state['state'][0].content.name, 'secret');
    assert.equal(state['state'].length, 1);
    const { chunk } = await eventually(async () => {
      const page = await admin.ok('GET', at(roomId, '/messages?dir=b&limit=2'));
      assert.equal(page['chunk'][0].event_id, second);
      return page;
    });
    assert.deepEqual(
      chunk.map((event: Json) => event['content'].body),
      ['two', 'one'],
    );
    const rest = `/context/${encodeURIComponent(first)}`;
    const context = await admin.ok('GET', at(roomId, rest));
    assert.equal(context['event'].content.body, 'one');
    assert.equal(context['events_after'][0].event_id, second);
    const near = await admin.ok('GET', at(roomId, '/timestamp_to_event?ts=0'));
    const [create] = (await admin.ok('GET', at(roomId, '/state?type=m.room.create')))['state'];
    assert.equal(near['event_id'], create.event_id);
    const tree = await admin.ok('GET', at(roomId, '/hierarchy'));
    assert.equal(tree['rooms'][0].room_id, roomId);
    for (const path of ['/messages', rest, '/state', '/hierarchy', '/members', '/block']) {
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await alice.refused('GET', at(roomId, path)), '403 M_FORBIDDEN', path);
    }
  });
});

describe('blocking', () => {
  test('keeps people out until it is lifted, and those who are in go on', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const path = at(roomId, '/block');
    assert.deepEqual(await admin.ok('GET', path), { block: false });
    assert.deepEqual(await admin.ok('PUT', path, { block: true }), { block: true });
    assert.deepEqual(await admin.ok('GET', path), { block: true, user_id: admin.userId });
    const join = `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`;
    assert.equal(await bob.refused('POST', join, {}), '403 M_FORBIDDEN');
    const invite = { user_id: bob.userId };
    assert.equal(
      await alice.refused('POST', `${alice.room(roomId)}/invite`, invite),
      '403 M_FORBIDDEN',
    );
    await alice.send(roomId, 'still here');
    await admin.ok('PUT', path, { block: false });
    await bob.join(roomId);
    await admin.ok('PUT', path, { block: true });
    await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
    assert.equal(await admin.refused('PUT', path, { block: 'yes' }), '400 M_BAD_JSON');
    assert.equal(await admin.refused('PUT', path, {}), '400 M_MISSING_PARAM');
    assert.equal(await admin.refused('GET', at('nonsense', '/block')), '400 M_UNKNOWN');
  });

  test('reaches rooms that are not known yet', async () => {
    const unknown = `!${uniqueName('far')}:elsewhere.example`;
    await admin.ok('PUT', at(unknown, '/block'), { block: true });
    const join = `/_matrix/client/v3/join/${encodeURIComponent(unknown)}?via=elsewhere.example`;
    const { status, body } = await bob.request('POST', join, {});
    assert.deepEqual([status, body['errcode']], [403, 'M_FORBIDDEN']);
    assert.match(body['error'] as string, /blocked/);
  });
});

describe('powers', () => {
  test('an admin is made one of a room, and invited', async () => {
    const roomId = await alice.createRoom({ preset: 'private_chat', room_version: '11' });
    await admin.ok('POST', at(roomId, '/make_room_admin'), {});
    const [levels] = (await admin.ok('GET', at(roomId, '/state?type=m.room.power_levels')))[
      'state'
    ];
    assert.equal(levels.content.users[admin.userId], 100);
    await admin.join(roomId);
    await admin.ok('POST', at(roomId, '/make_room_admin'), { user_id: bob.userId });
    await bob.join(roomId);
    const other = await alice.createRoom({ preset: 'private_chat', room_version: '12' });
    await admin.ok('POST', at(other, '/make_room_admin'));
    const [own] = (await admin.ok('GET', at(other, '/state?type=m.room.power_levels')))['state'];
    assert.equal(own.content.users[admin.userId], 100);
    await alice.ok('POST', `${alice.room(other)}/leave`, {});
    await admin.ok('POST', `${admin.room(other)}/leave`, {});
    assert.equal(await admin.refused('POST', at(other, '/make_room_admin')), '400 M_UNKNOWN');
  });

  test('a user is made to join', async () => {
    const [open, closed] = await Promise.all([
      alice.createRoom({ preset: 'public_chat' }),
      admin.createRoom({ preset: 'private_chat' }),
    ]);
    for (const roomId of [open, closed]) {
      const path = `${v1}/join/${encodeURIComponent(roomId)}`;
      // oxlint-disable-next-line no-await-in-loop
      assert.deepEqual(await admin.ok('POST', path, { user_id: bob.userId }), { room_id: roomId });
    }
    const joined = (await bob.ok('GET', '/_matrix/client/v3/joined_rooms'))['joined_rooms'];
    assert.ok(joined.includes(open) && joined.includes(closed));
    const path = `${v1}/join/${encodeURIComponent(open)}`;
    const refused = (userId: string) => admin.refused('POST', path, { user_id: userId });
    assert.equal(await refused('@nobody:test.example'), '404 M_NOT_FOUND');
    assert.equal(await refused('@bob:elsewhere.example'), '400 M_INVALID_PARAM');
  });

  test('forward extremities are shown, and one is left', async () => {
    const roomId = await alice.createRoom({});
    const eventId = await alice.send(roomId, 'last');
    const path = at(roomId, '/forward_extremities');
    const { count, results } = await admin.ok('GET', path);
    assert.equal(count, 1);
    assert.equal(results[0].event_id, eventId);
    assert.ok(results[0].depth > 1 && results[0].received_ts > 1);
    const sql = await databaseOf(server.dataDir);
    try {
      await sql.query(
        `insert into room_extremities select e.room_nid, e.event_nid from events e
           join rooms r on r.room_nid = e.room_nid where r.room_id = $1`,
        [roomId],
      );
    } finally {
      await sql.end();
    }
    const before = (await admin.ok('GET', path))['count'] as number;
    assert.ok(before > 3);
    assert.deepEqual(await admin.ok('DELETE', path), { deleted: before - 1 });
    assert.equal((await admin.ok('GET', path))['results'][0].event_id, eventId);
    await alice.send(roomId, 'goes on');
    assert.deepEqual(await admin.ok('DELETE', path), { deleted: 0 });
  });
});

describe('statistics', () => {
  test('say who has uploaded how much, and what takes up space', async () => {
    const user = await TestClient.register(server.url, 'uploader');
    await user.ok('PUT', `/_matrix/client/v3/profile/${user.userId}/displayname`, {
      displayname: 'Up Loader',
    });
    const upload = async (bytes: number) => {
      const response = await fetch(`${server.url}/_matrix/media/v3/upload`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${user.token}` },
        body: new Uint8Array(bytes),
      });
      assert.equal(response.status, 200);
    };
    await upload(10);
    await upload(20);
    const term = user.userId.slice(1).split(':')[0]!;
    const path = `${v1}/statistics/users/media`;
    const found = await admin.ok('GET', `${path}?search_term=${term}`);
    const usage = {
      user_id: user.userId,
      displayname: 'Up Loader',
      media_count: 2,
      media_length: 30,
    };
    assert.deepEqual(found, { users: [usage], total: 1 });
    for (const order of ['user_id', 'displayname', 'media_length', 'media_count']) {
      // oxlint-disable-next-line no-await-in-loop
      const page = await admin.ok('GET', `${path}?order_by=${order}&dir=b&search_term=p+lOAD`);
      assert.equal(page['users'][0].user_id, user.userId, order);
    }
    const now = Date.now() + 60_000;
    assert.equal((await admin.ok('GET', `${path}?from_ts=${now}`))['total'], 0);
    assert.equal(await admin.refused('GET', `${path}?from_ts=5&until_ts=5`), '400 M_INVALID_PARAM');
    const sql = await databaseOf(server.dataDir);
    try {
      await sql.query('analyze events');
    } finally {
      await sql.end();
    }
    const { rooms } = await admin.ok('GET', `${v1}/statistics/database/rooms`);
    assert.ok(rooms.length > 0 && rooms.length <= 10);
    assert.ok(rooms[0].estimated_size >= rooms.at(-1).estimated_size);
    assert.match(rooms[0].room_id, /^!/);
    assert.equal(await alice.refused('GET', path), '403 M_FORBIDDEN');
  });
});

void v2;
