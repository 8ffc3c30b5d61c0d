import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { startWorkerSet } from '../harness/topology.ts';
import { ask, askOk, findProcess, workersOf, type Worker } from '../harness/workers.ts';

const client = '/_matrix/client/v3';

/**
 * What one process remembers while another one changes it. Redis stands still meanwhile, so that
 * nothing is told in time by good luck.
 */
describe('what workers remember', () => {
  let url: string;
  let one: Worker;
  let two: Worker;
  let redis: number;
  let close: () => Promise<void>;

  before(async () => {
    const { set, dataDir } = await startWorkerSet(
      'max_event_delay_duration: 1d\n',
      'workers: {generic_worker: 2}\n',
    );
    url = set.urls[0]!;
    const all = await workersOf(dataDir);
    one = all.find(({ name }) => name === 'generic_worker1')!;
    two = all.find(({ name }) => name === 'generic_worker2')!;
    redis = await findProcess('redis-server', dataDir);
    close = async () => {
      process.kill(redis, 'SIGCONT');
      await set.close();
      await rm(dataDir, { recursive: true });
    };
  });
  after(() => close());

  async function withoutMessages<T>(work: () => Promise<T>): Promise<T> {
    process.kill(redis, 'SIGSTOP');
    try {
      return await work();
    } finally {
      process.kill(redis, 'SIGCONT');
    }
  }

  /** A room whose writer is the worker. */
  async function roomOf(worker: Worker, user: TestClient, wish: Json = {}): Promise<string> {
    const made = await askOk(worker, 'POST', `${client}/createRoom`, user.token, wish);
    return made['room_id'] as string;
  }

  function say(worker: Worker, user: TestClient, roomId: string, body: string): Promise<Json> {
    const path = `${user.room(roomId)}/send/m.room.message/${encodeURIComponent(body)}`;
    return askOk(worker, 'PUT', path, user.token, { msgtype: 'm.text', body });
  }

  it("a room's state is as it was written elsewhere", async () => {
    const user = await TestClient.register(url);
    const roomId = await roomOf(one, user);
    const topicAt = async () => {
      const state = await askOk(two, 'GET', `${user.room(roomId)}/state`, user.token);
      const topic = (state as Json[]).find((event) => event['type'] === 'm.room.topic');
      return topic?.['content'].topic as string | undefined;
    };
    // What has come to the worker already is what it remembers.
    await askOk(two, 'GET', `${client}/sync`, user.token);
    assert.equal(await topicAt(), undefined);
    await withoutMessages(async () => {
      const path = `${user.room(roomId)}/state/m.room.topic`;
      // The first write may have waited until its process had looked what others had written.
      await askOk(one, 'PUT', path, user.token, { topic: 'old' });
      await askOk(one, 'PUT', path, user.token, { topic: 'new' });
      assert.equal(await topicAt(), 'new');
    });
  });

  it('a session that was ended elsewhere is over', async () => {
    const { token } = await TestClient.register(url);
    await askOk(two, 'GET', `${client}/account/whoami`, token);
    await withoutMessages(async () => {
      await askOk(one, 'POST', `${client}/logout`, token, {});
      assert.equal((await ask(two, 'GET', `${client}/account/whoami`, token)).status, 401);
    });
  });

  it('a member has the name that was set elsewhere', async () => {
    const user = await TestClient.register(url);
    await roomOf(two, user);
    await withoutMessages(async () => {
      const path = `${client}/profile/${encodeURIComponent(user.userId)}/displayname`;
      await askOk(one, 'PUT', path, user.token, { displayname: 'Changed' });
      const roomId = await roomOf(two, user);
      const member = await askOk(
        two,
        'GET',
        `${user.room(roomId)}/state/m.room.member/${encodeURIComponent(user.userId)}`,
        user.token,
      );
      assert.equal(member['displayname'], 'Changed');
    });
  });

  it('push rules are those that were set elsewhere', async () => {
    const { token } = await TestClient.register(url);
    const path = `${client}/pushrules/global/content/new`;
    await askOk(two, 'GET', `${client}/pushrules/`, token);
    await withoutMessages(async () => {
      await askOk(one, 'PUT', path, token, { pattern: 'new', actions: ['notify'] });
      assert.equal((await askOk(two, 'GET', path, token))['pattern'], 'new');
    });
  });

  it('who was ignored elsewhere is not shown', async () => {
    const [user, other] = [await TestClient.register(url), await TestClient.register(url)];
    const roomId = await roomOf(two, user, { preset: 'public_chat' });
    await other.join(roomId);
    await say(two, other, roomId, 'unwanted');
    const shown = async () => {
      const path = `${user.room(roomId)}/messages?dir=b&limit=10`;
      const { chunk } = await askOk(two, 'GET', path, user.token);
      return (chunk as Json[]).some((event) => event['content'].body === 'unwanted');
    };
    assert.equal(await shown(), true);
    await withoutMessages(async () => {
      const type = `${client}/user/${encodeURIComponent(user.userId)}/account_data`;
      await askOk(one, 'PUT', `${type}/m.ignored_user_list`, user.token, {
        ignored_users: { [other.userId]: {} },
      });
      assert.equal(await shown(), false);
    });
  });

  it('a client that has begun anew elsewhere gets members that it was sent before', async () => {
    const [reader, bob, carol] = [
      await TestClient.register(url),
      await TestClient.register(url),
      await TestClient.register(url),
    ];
    // Without a name, clients would be sent members to name it after.
    const roomId = await roomOf(one, reader, { preset: 'public_chat', name: 'named' });
    await bob.join(roomId);
    await carol.join(roomId);
    const filter = encodeURIComponent(
      JSON.stringify({ room: { state: { lazy_load_members: true }, timeline: { limit: 1 } } }),
    );
    const sync = (worker: Worker, since = '') =>
      askOk(worker, 'GET', `${client}/sync?filter=${filter}${since}`, reader.token);
    const members = (answer: Json) =>
      (answer['rooms'].join[roomId].state.events as Json[])
        .filter((event) => event['type'] === 'm.room.member')
        .map((event) => String(event['state_key']));

    await say(one, bob, roomId, 'first');
    assert.ok(members(await sync(two)).includes(bob.userId));
    await say(one, carol, roomId, 'second');
    const anew = await sync(one);
    assert.ok(!members(anew).includes(bob.userId), 'bob is nowhere in the answer');
    await say(one, bob, roomId, 'third');
    const next = await sync(two, `&since=${String(anew['next_batch'])}`);
    assert.ok(members(next).includes(bob.userId), JSON.stringify(next['rooms']));
  });

  it('presence that was set while no messages passed comes later', async () => {
    const users: TestClient[] = [];
    // oxlint-disable-next-line no-await-in-loop -- enough that some are another process's to keep
    while (users.length < 6) users.push(await TestClient.register(url));
    const pathOf = (user: TestClient) =>
      `${client}/presence/${encodeURIComponent(user.userId)}/status`;
    const { token } = await TestClient.register(url);
    await withoutMessages(async () => {
      await askOk(one, 'POST', `${client}/logout`, token, {});
      const presence = { presence: 'online', status_msg: 'said meanwhile' };
      await Promise.all(users.map((user) => askOk(one, 'PUT', pathOf(user), user.token, presence)));
    });
    await eventually(async () => {
      const told = await Promise.all(
        users.map((user) => askOk(two, 'GET', pathOf(user), user.token)),
      );
      assert.deepEqual(new Set(told.map((one) => one['status_msg'])), new Set(['said meanwhile']));
    });
  });

  it('a room that was forgotten while no messages passed is not shown', async () => {
    const user = await TestClient.register(url);
    const { token } = await TestClient.register(url);
    const roomId = await roomOf(one, user);
    await askOk(one, 'POST', `${user.room(roomId)}/leave`, user.token, {});
    const filter = encodeURIComponent(JSON.stringify({ room: { include_leave: true } }));
    const left = async () => {
      const answer = await askOk(two, 'GET', `${client}/sync?filter=${filter}`, user.token);
      return Object.keys(answer['rooms'].leave ?? {});
    };
    assert.deepEqual(await left(), [roomId]);
    await withoutMessages(async () => {
      await askOk(one, 'POST', `${client}/logout`, token, {});
      await askOk(one, 'POST', `${user.room(roomId)}/forget`, user.token, {});
      await eventually(async () => assert.deepEqual(await left(), []));
    });
  });

  it('a delayed event that nobody heard of is sent when messages pass again', async () => {
    const user = await TestClient.register(url);
    const roomIds: string[] = [];
    // oxlint-disable-next-line no-await-in-loop -- enough that some are another process's to send
    while (roomIds.length < 6) roomIds.push(await user.createRoom());
    const { token } = await TestClient.register(url);
    await withoutMessages(async () => {
      // Is answered when the connection to Redis counts as lost: what is sent then, is lost.
      await askOk(one, 'POST', `${client}/logout`, token, {});
      await Promise.all(
        roomIds.map((roomId) => {
          const path = `${user.room(roomId)}/send/m.room.message/late?org.matrix.msc4140.delay=1`;
          return askOk(one, 'PUT', path, user.token, { msgtype: 'm.text', body: 'late' });
        }),
      );
    });
    await eventually(async () => {
      for (const roomId of roomIds) {
        const path = `${user.room(roomId)}/messages?dir=b&limit=1`;
        // oxlint-disable-next-line no-await-in-loop
        const { chunk } = await askOk(one, 'GET', path, user.token);
        assert.equal((chunk as Json[])[0]!['content'].body, 'late');
      }
    });
  });
});
