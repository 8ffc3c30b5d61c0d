import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { allKeysText, keptKey, roomKeysText } from './key-data.ts';
import { createKeyBackup } from './module.ts';
import { createBackupStore } from './store/backups.ts';
import { createKeyStore, type BackedUpKey } from './store/keys.ts';

let opened: TestDatabase;
before(async () => {
  opened = await createTestDatabase();
});
after(() => opened.close());

const key = (sessionId: string, verified: boolean, first: number, forwarded: number): BackedUpKey =>
  keptKey('!room:test', sessionId, {
    is_verified: verified,
    first_message_index: first,
    forwarded_count: forwarded,
    session_data: { from: `${verified} ${first} ${forwarded}` },
  });

/** The rule as the specification words it. */
function isBetter(one: BackedUpKey, than: BackedUpKey): boolean {
  if (one.isVerified !== than.isVerified) return one.isVerified;
  if (one.firstMessageIndex !== than.firstMessageIndex) {
    return one.firstMessageIndex < than.firstMessageIndex;
  }
  return one.forwardedCount < than.forwardedCount;
}

const anyKey = fc
  .tuple(fc.boolean(), fc.nat({ max: 2 }), fc.nat({ max: 2 }))
  .map(([verified, first, forwarded]) => key('s', verified, first, forwarded));

test('of two keys of a session the better one stays; the etag grows only then', async () => {
  const backups = createBackupStore(opened.database);
  const keys = createKeyStore(opened.database);
  await fc.assert(
    fc.asyncProperty(anyKey, anyKey, async (first, second) => {
      const version = await backups.create(1, 'a', '{}');
      assert.deepEqual(await keys.put(1, version, [first]), {
        isNewest: true,
        etag: 1,
        keyCount: 1,
      });
      const replaces = isBetter(second, first);
      assert.deepEqual(await keys.put(1, version, [second]), {
        isNewest: true,
        etag: replaces ? 2 : 1,
        keyCount: 1,
      });
      const kept = await keys.get(1, version, '!room:test', 's');
      assert.deepEqual(kept, replaces ? second : first);
    }),
    { numRuns: 60 },
  );
});

test('uploads at the same time are all counted', async () => {
  const version = await createBackupStore(opened.database).create(2, 'a', '{}');
  const stores = [createKeyStore(opened.database), createKeyStore(opened.database)];
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      stores[i % 2]!.put(2, version, [
        key(`s${i % 15}`, false, 100 - i, 0),
        key('all', true, 0, 0),
      ]),
    ),
  );
  const change = await stores[0]!.put(2, version, []);
  assert.equal(change!.keyCount, 16);
  const deleted = await stores[0]!.delete(2, version, { roomId: '!room:test', sessionId: 's3' });
  assert.deepEqual(deleted, { isNewest: true, etag: change!.etag + 1, keyCount: 15 });
  const again = await stores[0]!.delete(2, version, { roomId: '!room:test', sessionId: 's3' });
  assert.deepEqual(again, deleted);
});

test('downloads of many pages are whole', async () => {
  const version = await createBackupStore(opened.database).create(3, 'a', '{}');
  const keys = createKeyStore(opened.database);
  const added = Array.from({ length: 1_300 }, (_, i) =>
    keptKey(`!room${i % 3}:test`, `session ${i}`, {
      is_verified: false,
      first_message_index: i,
      forwarded_count: 0,
      session_data: { i },
    }),
  );
  await keys.put(3, version, added);
  const text = (pieces: string[]) => JSON.parse(pieces.join('')) as Record<string, unknown>;
  const all = text(await Array.fromAsync(allKeysText(keys.pages(3, version, undefined))));
  const rooms = all['rooms'] as Record<string, { sessions: Record<string, unknown> }>;
  assert.deepEqual(Object.keys(rooms).toSorted(), ['!room0:test', '!room1:test', '!room2:test']);
  const count = Object.values(rooms).reduce((n, room) => n + Object.keys(room.sessions).length, 0);
  assert.equal(count, 1_300);
  const room = await Array.fromAsync(roomKeysText(keys.pages(3, version, '!room1:test')));
  assert.deepEqual(text(room), rooms['!room1:test']);
  assert.deepEqual(rooms['!room1:test']!.sessions['session 4'], {
    is_verified: false,
    first_message_index: 4,
    forwarded_count: 0,
    session_data: { i: 4 },
  });
});

test('a deactivated account leaves nothing behind, others keep theirs', async () => {
  const { database } = opened;
  const backups = createBackupStore(database);
  const keys = createKeyStore(database);
  const versions = await Promise.all([4, 5].map((userNid) => backups.create(userNid, 'a', '{}')));
  await Promise.all(versions.map((version, i) => keys.put(4 + i, version, [key('s', true, 0, 0)])));
  const { accountEvents } = createKeyBackup({ database });
  await accountEvents.deactivated!({ userNid: 4, userId: '@u:test' }, { erase: false });
  assert.equal(await backups.newest(4), null);
  assert.equal(await keys.get(4, versions[0]!, '!room:test', 's'), null);
  assert.notEqual(await keys.get(5, versions[1]!, '!room:test', 's'), null);
});
