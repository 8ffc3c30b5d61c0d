import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const path = '/_matrix/client/v3/user_directory/search';

async function search(client: TestClient, term: string, more: Json = {}): Promise<Json[]> {
  const answer = await client.ok('POST', path, { search_term: term, ...more });
  return answer['results'] as Json[];
}

/** How long the directory may take to follow, on a machine with much else to do. */
const patienceMs = 20_000;

/** Searches until the users are found, and nobody else. */
async function finds(client: TestClient, term: string, userIds: readonly string[]): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const found = idsOf(await search(client, term));
    if (isDeepStrictEqual(found, userIds)) return;
    if (Date.now() > deadline) assert.deepEqual(found, userIds, term);
  }
}

const idsOf = (results: Json[]) => results.map((result) => result['user_id'] as string);

function setName(client: TestClient, displayname: string) {
  return client.ok('PUT', `/_matrix/client/v3/profile/${client.userId}/displayname`, {
    displayname,
  });
}

test('users of public rooms are found by all, others by those who share a room', async () => {
  const [alice, bob, eve] = await Promise.all(
    ['alice', 'bob', 'eve'].map((name) => TestClient.register(server.url, name)),
  );
  const name = uniqueName('Cooper');
  await setName(alice!, `Alice ${name}`);
  await finds(eve!, name, []);
  const roomId = await alice!.createRoom({ preset: 'private_chat', invite: [bob!.userId] });
  await finds(bob!, name, []);
  await bob!.join(roomId);
  await finds(bob!, name, [alice!.userId]);
  const [found] = await search(bob!, name);
  assert.deepEqual(found, { user_id: alice!.userId, display_name: `Alice ${name}` });
  await finds(eve!, name, []);
  const publicRoom = await alice!.createRoom({ preset: 'public_chat' });
  await finds(eve!, name, [alice!.userId]);
  await alice!.setState(publicRoom, 'm.room.join_rules', { join_rule: 'invite' });
  await finds(eve!, name, []);
  await alice!.setState(publicRoom, 'm.room.history_visibility', {
    history_visibility: 'world_readable',
  });
  await finds(eve!, name, [alice!.userId]);
  await alice!.ok('POST', `${alice!.room(publicRoom)}/leave`, {});
  await finds(eve!, name, []);
});

test('names are found by the beginnings of their words, the newest at once', async () => {
  const [carol, dave] = await Promise.all([
    TestClient.register(server.url, 'carol'),
    TestClient.register(server.url, 'dave'),
  ]);
  await carol.createRoom({ preset: 'public_chat' });
  const [first, last] = [uniqueName('Zoé'), uniqueName('Quux')];
  await setName(carol, `${first} ${last}`);
  for (const term of [first, `${last.toUpperCase()} ${first}`, `@${carol.userId.slice(1)}`]) {
    // oxlint-disable-next-line no-await-in-loop
    await finds(dave, term, [carol.userId]);
  }
  assert.deepEqual(await search(dave, `${carol.userId.split(':')[0]}:elsewhere`), []);
  await setName(carol, '王小明さん');
  await finds(dave, last, []);
  await finds(dave, '小明', [carol.userId]);
});

test('a limit cuts and is told; exact names come first; all legacy paths work', async () => {
  const prefix = uniqueName('many');
  const users = await Promise.all(
    [1, 2, 3, 4].map(() => TestClient.register(server.url, 'member')),
  );
  const [owner, second, third, fourth] = users as [TestClient, TestClient, TestClient, TestClient];
  const roomId = await owner.createRoom({ preset: 'public_chat' });
  await Promise.all([second, third, fourth].map((user) => user.join(roomId)));
  await setName(second, `${prefix}bb`);
  await setName(third, prefix);
  await setName(fourth, `${prefix}aa`);
  await finds(owner, prefix, [third.userId, fourth.userId, second.userId]);
  const answer = await owner.ok('POST', path, { search_term: prefix, limit: 2 });
  assert.equal(answer['limited'], true);
  assert.deepEqual(idsOf(answer['results'] as Json[]), [third.userId, fourth.userId]);
  for (const version of ['r0', 'api/v1', 'unstable']) {
    const old = `/_matrix/client/${version}/user_directory/search`;
    // oxlint-disable-next-line no-await-in-loop
    const same = await owner.ok('POST', old, { search_term: prefix, limit: 3 });
    assert.equal(same['limited'], false, version);
    assert.equal((same['results'] as Json[]).length, 3, version);
  }
});

test('who deactivates the account is found no longer', async () => {
  const [leaver, other] = await Promise.all([
    TestClient.register(server.url, 'leaver'),
    TestClient.register(server.url, 'other'),
  ]);
  await leaver.createRoom({ preset: 'public_chat' });
  const localpart = leaver.userId.slice(1).split(':')[0]!;
  await finds(other, localpart, [leaver.userId]);
  await leaver.ok('POST', '/_matrix/client/v3/account/deactivate', {
    auth: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: leaver.userId },
      password: `password of ${localpart}`,
    },
  });
  await finds(other, localpart, []);
});
