import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer('allow_public_rooms_without_auth: true');
});
after(() => server.close());

const users = (...names: string[]) =>
  Promise.all(names.map((name) => TestClient.register(server.url, name)));

describe('membership', () => {
  it('kicks, bans and unbans; each only from where it makes sense', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const room = alice.room(roomId);
    const target = { user_id: bob.userId };
    assert.equal(await alice.refused('POST', `${room}/kick`, target), '403 M_FORBIDDEN');
    await bob.join(roomId);
    await alice.ok('POST', `${room}/kick`, { ...target, reason: 'noise' });
    const left = await bob.sync();
    assert.equal(left['rooms'].join?.[roomId], undefined);
    await bob.join(roomId);
    await alice.ok('POST', `${room}/ban`, target);
    assert.equal(await bob.refused('POST', `${room}/join`, {}), '403 M_FORBIDDEN');
    await alice.ok('POST', `${room}/unban`, target);
    assert.equal(await alice.refused('POST', `${room}/unban`, target), '403 M_FORBIDDEN');
    await bob.join(roomId);
  });

  it('knocking shows the room to who knocks, and lets in who is invited', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const roomId = await alice.createRoom({
      name: 'Behind the door',
      initial_state: [
        { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } },
      ],
    });
    await bob.ok('POST', `/_matrix/client/v3/knock/${encodeURIComponent(roomId)}`, {
      reason: 'hi',
    });
    const knock = (await bob.sync())['rooms'].knock[roomId].knock_state.events as Json[];
    assert.ok(knock.some((event) => event['content'].name === 'Behind the door'));
    await alice.ok('POST', `${alice.room(roomId)}/invite`, { user_id: bob.userId });
    await bob.join(roomId);
  });

  it('restricted rooms let in the members of another room', async () => {
    const [alice, bob, eve] = (await users('alice', 'bob', 'eve')) as [
      TestClient,
      TestClient,
      TestClient,
    ];
    const space = await alice.createRoom({ preset: 'public_chat' });
    const roomId = await alice.createRoom({
      initial_state: [
        {
          type: 'm.room.join_rules',
          state_key: '',
          content: {
            join_rule: 'restricted',
            allow: [{ type: 'm.room_membership', room_id: space }],
          },
        },
      ],
    });
    await bob.join(space);
    await bob.join(roomId);
    const member = await bob.ok('GET', `${bob.room(roomId)}/state/m.room.member/${bob.userId}`);
    assert.equal(member['join_authorised_via_users_server'], alice.userId);
    assert.equal(await eve.refused('POST', `${eve.room(roomId)}/join`, {}), '403 M_FORBIDDEN');
  });

  it('forgotten rooms are gone from new syncs', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(roomId);
    const room = bob.room(roomId);
    assert.equal(await bob.refused('POST', `${room}/forget`, {}), '400 M_UNKNOWN');
    await bob.ok('POST', `${room}/leave`, {});
    await bob.ok('POST', `${room}/forget`, {});
    const filter = JSON.stringify({ room: { include_leave: true } });
    assert.equal((await bob.sync({ filter }))['rooms'].leave?.[roomId], undefined);
    assert.equal(await bob.refused('GET', `${room}/messages?dir=b`), '403 M_FORBIDDEN');
  });

  it('an invite is turned down, not forgotten', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const roomId = await alice.createRoom({ invite: [bob.userId] });
    assert.equal(await bob.refused('POST', `${bob.room(roomId)}/forget`, {}), '400 M_UNKNOWN');
    await bob.syncUntil({}, (sync) => sync['rooms'].invite?.[roomId] !== undefined);
    await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
    await bob.ok('POST', `${bob.room(roomId)}/forget`, {});
  });
});

describe('the directory', () => {
  it('aliases are made, found, taken once, and removed with their mention in the room', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const name = uniqueName('tea');
    const alias = `#${name}:test.example`;
    const path = `/_matrix/client/v3/directory/room/${encodeURIComponent(alias)}`;
    const roomId = await alice.createRoom({ room_alias_name: name, preset: 'public_chat' });
    assert.equal((await bob.ok('GET', path))['room_id'], roomId);
    const again = await bob.request('POST', '/_matrix/client/v3/createRoom', {
      room_alias_name: name,
    });
    assert.equal(again.body['errcode'], 'M_ROOM_IN_USE');
    await bob.ok('POST', `/_matrix/client/v3/join/${encodeURIComponent(alias)}`, {});
    assert.equal(await bob.refused('DELETE', path), '403 M_FORBIDDEN');
    await alice.ok('DELETE', path);
    assert.equal(await bob.refused('GET', path), '404 M_NOT_FOUND');
    const canonical = await alice.ok('GET', `${alice.room(roomId)}/state/m.room.canonical_alias`);
    assert.equal(canonical['alias'], undefined);
    const bad = { alias: `#not-${name}:test.example` };
    const state = `${alice.room(roomId)}/state/m.room.canonical_alias`;
    assert.equal(await alice.refused('PUT', state, bad), '400 M_BAD_ALIAS');
  });

  it('public rooms are listed, searched and paged', async () => {
    const alice = await TestClient.register(server.url, 'alice');
    const word = uniqueName('needle');
    const made: string[] = [];
    for (const i of [1, 2, 3]) {
      made.push(await alice.createRoom({ visibility: 'public', name: `${word} ${i}` }));
    }
    const path = '/_matrix/client/v3/publicRooms';
    const filter = { generic_search_term: word };
    const first = await alice.ok('POST', path, { limit: 2, filter });
    assert.equal(first['chunk'].length, 2);
    const second = await alice.ok('POST', path, { limit: 2, filter, since: first['next_batch'] });
    assert.equal(second['next_batch'], undefined);
    const found = [...first['chunk'], ...second['chunk']].map((room: Json) => room['room_id']);
    assert.deepEqual(new Set(found), new Set(made));
    const anonymous = new TestClient(server.url);
    assert.ok((await anonymous.ok('GET', path))['chunk'].length >= 3);
  });
});

describe('state', () => {
  it('power levels are enforced, and nobody gives more than they have', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const roomId = await alice.createRoom({ preset: 'public_chat', room_version: '11' });
    await bob.join(roomId);
    const room = bob.room(roomId);
    const name = { name: 'mine' };
    assert.equal(await bob.refused('PUT', `${room}/state/m.room.name`, name), '403 M_FORBIDDEN');
    const levels = await alice.ok('GET', `${room}/state/m.room.power_levels`);
    const raised = { ...levels, users: { ...levels['users'], [bob.userId]: 50 } };
    await alice.setState(roomId, 'm.room.power_levels', raised);
    await bob.setState(roomId, 'm.room.name', name);
    const malformed = { ...raised, ban: 'fifty' };
    assert.equal(
      await alice.refused('PUT', `${alice.room(roomId)}/state/m.room.power_levels`, malformed),
      '400 M_BAD_JSON',
    );
    const tooMuch = { ...raised, users: { ...raised.users, [bob.userId]: 100 } };
    const path = `${room}/state/m.room.power_levels`;
    assert.equal(await bob.refused('PUT', path, tooMuch), '403 M_FORBIDDEN');
    const again = { room_version: '11', again: true };
    assert.equal(
      await alice.refused('PUT', `${alice.room(roomId)}/state/m.room.create/`, again),
      '400 M_INVALID_PARAM',
    );
  });

  it('former members see the state of their leaving', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const roomId = await alice.createRoom({ preset: 'public_chat', topic: 'before' });
    await bob.join(roomId);
    await bob.ok('POST', `${bob.room(roomId)}/leave`, {});
    await alice.setState(roomId, 'm.room.topic', { topic: 'after' });
    const topic = await bob.ok('GET', `${bob.room(roomId)}/state/m.room.topic`);
    assert.equal(topic['topic'], 'before');
  });

  it('members by what they are, or by what they are not', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const [carol, dave] = (await users('carol', 'dave')) as [TestClient, TestClient];
    await alice.ok('POST', `${alice.room(roomId)}/invite`, { user_id: bob.userId });
    await carol.join(roomId);
    await carol.ok('POST', `${carol.room(roomId)}/leave`, {});
    await alice.ok('POST', `${alice.room(roomId)}/ban`, { user_id: dave.userId });
    const found = async (query: string) => {
      const { chunk } = await alice.ok('GET', `${alice.room(roomId)}/members?${query}`);
      return (chunk as Json[]).map((event) => event['state_key'] as string).toSorted();
    };
    const only = (...some: TestClient[]) => some.map(({ userId }) => userId).toSorted();
    assert.deepEqual(await found('membership=ban'), only(dave));
    assert.deepEqual(await found('not_membership=leave'), only(alice, bob, dave));
    assert.deepEqual(await found('membership=leave&not_membership=ban'), only(alice, bob, carol));
  });

  it('every room version can be made and used', async () => {
    const [alice, bob] = (await users('alice', 'bob')) as [TestClient, TestClient];
    const { capabilities } = await alice.ok('GET', '/_matrix/client/v3/capabilities');
    for (const version of Object.keys(capabilities['m.room_versions'].available)) {
      const roomId = await alice.createRoom({ preset: 'public_chat', room_version: version });
      await bob.join(roomId);
      const eventId = await bob.send(roomId, `in ${version}`);
      await alice.ok('PUT', `${alice.room(roomId)}/redact/${encodeURIComponent(eventId)}/1`, {});
      const path = `${bob.room(roomId)}/event/${encodeURIComponent(eventId)}`;
      assert.deepEqual((await bob.ok('GET', path))['content'], {}, `version ${version}`);
    }
  });

  it('what is too long or no canonical JSON is refused with a reason', async () => {
    const alice = await TestClient.register(server.url, 'alice');
    const roomId = await alice.createRoom();
    const send = `${alice.room(roomId)}/send/m.room.message`;
    const long = { msgtype: 'm.text', body: 'x'.repeat(70_000) };
    assert.equal(await alice.refused('PUT', `${send}/1`, long), '413 M_TOO_LARGE');
    assert.equal(await alice.refused('PUT', `${send}/2`, { n: 1.5 }), '400 M_BAD_JSON');
    const state = `${alice.room(roomId)}/state`;
    assert.equal(await alice.refused('PUT', `${state}/${'t'.repeat(300)}`, {}), '413 M_TOO_LARGE');
    assert.equal(await alice.refused('PUT', `${state}/a.b/x%00y`, {}), '400 M_INVALID_PARAM');
  });

  it('an event is found by its time', async () => {
    const alice = await TestClient.register(server.url, 'alice');
    const roomId = await alice.createRoom();
    const eventId = await alice.send(roomId, 'now');
    const query = new URLSearchParams({ ts: String(Date.now() + 1000), dir: 'b' });
    const path = `${alice.room(roomId).replace('v3', 'v1')}/timestamp_to_event?${query.toString()}`;
    assert.equal((await alice.ok('GET', path))['event_id'], eventId);
    const late = path.replace('dir=b', 'dir=f');
    assert.equal(await alice.refused('GET', late), '404 M_NOT_FOUND');
  });
});

it('rooms made at the same time by the same user are rooms of their own', async () => {
  const many = await TestClient.register(server.url, 'many');
  const made = await Promise.all(
    Array.from({ length: 40 }, () => many.createRoom({ room_version: '12' })),
  );
  assert.equal(new Set(made).size, made.length);
});
