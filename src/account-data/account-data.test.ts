import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { createAccountData, type AccountDataModule } from './module.ts';

let opened: TestDatabase;
let module: AccountDataModule;
before(async () => {
  opened = await createTestDatabase();
  const { database } = opened;
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  module = createAccountData({
    database,
    bus,
    committer: createCommitter(database, bus),
    clock: { now: () => 0 },
    rooms: { of: () => null },
    accountOf: async () => ({ userNid: 1 }),
    userIdOf: (userNid) => `@user${userNid}:test`,
  });
});
after(() => opened.close());

test('changes at the same time are all kept', async () => {
  const { data } = module;
  const edit = (name: string) => (content: string | null) =>
    JSON.stringify([...(content === null ? [] : (JSON.parse(content) as string[])), name]);
  const names = Array.from({ length: 20 }, (_, i) => `n${String(i).padStart(2, '0')}`);
  await Promise.all(names.map((name) => data.change(1, 0, 'list', edit(name))));
  const list = JSON.parse((await data.get(1, 0, 'list'))!) as string[];
  assert.deepEqual(list.toSorted(), names);
});

test('an edit that changes nothing writes nothing; one that throws leaves all as it was', async () => {
  const { data } = module;
  await data.changePushRules(2, (rules) => rules);
  assert.equal(await data.get(2, 0, 'm.push_rules'), null);
  await data.set(2, 0, 'a', '{}');
  const failing = data.change(2, 0, 'a', () => {
    throw new Error('refused');
  });
  await assert.rejects(failing, /refused/);
  assert.equal(await data.get(2, 0, 'a'), '{}');
});

test('the settings of a device go with it (MSC3890)', async () => {
  const { data } = module;
  const typeOf = (id: string) => `org.matrix.msc3890.local_notification_settings.${id}`;
  await data.set(5, 0, typeOf('A'), '{"is_silenced":true}');
  await data.set(5, 0, typeOf('B'), '{"is_silenced":true}');
  await module.accountEvents.devicesDeleted({ userNid: 5 }, [{ deviceId: 'A' }, { deviceId: 'C' }]);
  assert.equal(await data.get(5, 0, typeOf('A')), null);
  assert.equal(await data.get(5, 0, typeOf('B')), '{"is_silenced":true}');
});

test('a deactivated account keeps nothing, also in memory', async () => {
  const { data, filters } = module;
  await data.set(3, 0, 'm.ignored_user_list', '{"ignored_users":{"@a:b":{}}}');
  await data.set(3, 7, 'm.tag', '{}');
  await data.set(4, 7, 'm.tag', '{}');
  assert.equal((await data.ignoredUsers(3)).size, 1);
  await module.accountEvents.deactivated({ userNid: 3 });
  assert.equal((await data.ignoredUsers(3)).size, 0);
  const left = await data.changes(3, 0);
  assert.deepEqual([left.global, [...left.rooms]], [[], []]);
  assert.equal(await data.get(4, 7, 'm.tag'), '{}');
  await assert.rejects(async () => filters.byId(3, '1'), { code: 'M_NOT_FOUND' });
});
