import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { MatrixError } from '../kernel/errors.ts';
import { createLog } from '../kernel/log.ts';
import { createLocalBus } from '../streams/bus.ts';
import type { MediaConfig } from './config.ts';
import { createDeletion, type Deletion } from './deletion.ts';
import { createFindMedia } from './find-media.ts';
import { openStores } from './storage/open-stores.ts';
import { createDeletionStore } from './store/delete-media.ts';
import { createMediaStore, type MediaRows } from './store/media.ts';
import { createSweep } from './sweep.ts';
import { createUploads, type Uploads } from './uploads.ts';

const day = 24 * 60 * 60 * 1000;
const config: MediaConfig = {
  serverName: 'test.example',
  isAuthenticated: true,
  uploadBytesMax: 1_000,
  uploadLimits: [
    { periodMs: day, bytesMax: 100 },
    { periodMs: 7 * day, bytesMax: 150 },
  ],
  pendingMax: 2,
  unusedMs: day,
  pixelsMax: 1_000,
  thumbnails: { isDynamic: false, sizes: [] },
  deniedServers: ['denied.example'],
  remoteDownloads: { bytesPerSecond: 1, burstBytes: 1 },
  keptMs: { local: 10 * day, remote: null },
};

const folder = await mkdtemp(join(tmpdir(), 'lattice-media-'));
const { contents, temporary } = openStores({ folder, keepsLocally: true, objectStores: [] });
const log = createLog('error');
let testDatabase: TestDatabase;
let now = 1_000 * day;
const clock = { now: () => now };
const bus = createLocalBus({ position: 0, ephemeralPosition: 0, onReaderError: assert.fail });
let rows: MediaRows;
let deletion: Deletion;
let uploads: Uploads;
let sweep: () => Promise<void>;

before(async () => {
  testDatabase = await createTestDatabase();
  const { database } = testDatabase;
  rows = createMediaStore(database);
  deletion = createDeletion(createDeletionStore(database), contents);
  uploads = createUploads({ config, clock, bus, rows, contents, temporary, deletion });
  sweep = createSweep({ config, clock, deletion, temporary, log, previews: null });
});
after(async () => {
  await testDatabase.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  now += 30 * day;
});

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
let users = 0;

/** An upload of a text, as a request would bring it. */
function textUpload(text: string, userNid = ++users) {
  const body = Readable.from(text === '' ? [] : [Buffer.from(text)], { objectMode: false });
  const req = Object.assign(body, {
    headers: { 'content-length': String(text.length) },
    complete: true,
    setTimeout: () => undefined,
  }) as unknown as IncomingMessage;
  return { req, userNid, contentType: 'text/plain', fileName: null };
}

const idOf = (uri: string) => uri.split('/').at(-1)!;
const isThere = async (uri: string) => (await rows.find('', idOf(uri))) !== null;
const refusedAs = (code: string) => (error: unknown) =>
  error instanceof MatrixError && error.code === code;

test('quotas hold over each of their times', async () => {
  const user = ++users;
  const tooMuch = refusedAs('M_RESOURCE_LIMIT_EXCEEDED');
  await uploads.upload(textUpload('a'.repeat(90), user));
  await assert.rejects(uploads.upload(textUpload('b'.repeat(11), user)), tooMuch);
  now += 2 * day;
  await uploads.upload(textUpload('b'.repeat(60), user));
  now += 2 * day;
  await assert.rejects(uploads.upload(textUpload('c', user)), tooMuch);
  now += 7 * day;
  await uploads.upload(textUpload('c', user));
});

test('media ids in waiting expire, and are forgotten', async () => {
  const user = ++users;
  const { contentUri } = await uploads.create(user);
  await uploads.create(user);
  await assert.rejects(uploads.create(user), refusedAs('M_LIMIT_EXCEEDED'));
  now += day + 1;
  const late = uploads.uploadTo(idOf(contentUri), textUpload('late', user));
  await assert.rejects(late, refusedAs('M_NOT_FOUND'));
  await uploads.create(user);
  await sweep();
  assert.equal(await isThere(contentUri), false);
});

test('what loses a race for a media id leaves no content', async () => {
  const user = ++users;
  const { contentUri } = await uploads.create(user);
  const texts = ['one', 'two', 'three'];
  const done = await Promise.allSettled(
    texts.map((text) => uploads.uploadTo(idOf(contentUri), textUpload(text, user))),
  );
  const failures = done.filter(({ status }) => status === 'rejected');
  assert.equal(failures.length, 2);
  const kept = await Promise.all(texts.map((text) => contents.has(hashOf(text))));
  assert.equal(kept.filter(Boolean).length, 1);
});

const question = {
  timeoutMs: 0,
  isOpen: false,
  allowsRemote: true,
  remoteAddress: '192.0.2.1',
  bypassesQuarantine: false,
  caller: { isGone: false, onGone: () => undefined, offGone: () => undefined },
};

test('what nobody has looked at for long is deleted', async () => {
  const remote = { fetch: () => assert.fail('nothing is fetched') };
  const find = createFindMedia({ config, clock, bus, rows, remote });
  const [old, seen, fresh] = [
    await uploads.upload(textUpload('old')),
    await uploads.upload(textUpload('seen')),
    ((now += 9 * day), await uploads.upload(textUpload('fresh'))),
  ];
  await find.find({ ...question, serverName: 'test.example', mediaId: idOf(seen) });
  await find.writeAccess();
  now += 2 * day;
  await sweep();
  assert.deepEqual(await Promise.all([old, seen, fresh].map(isThere)), [false, true, true]);
  assert.equal(await contents.has(hashOf('old')), false);
  assert.equal(await contents.has(hashOf('seen')), true);
});

test('images of previews are kept as long as previews', async () => {
  const file = await temporary.write(Readable.from([Buffer.from('picture')]));
  const mediaId = await uploads.keep(file, { contentType: 'image/png', fileName: null });
  now += 2 * day;
  await sweep();
  assert.equal(await isThere(mediaId), true);
  now += 2 * day;
  await sweep();
  assert.equal(await isThere(mediaId), false);
});

test('a row’s content is there, whatever is uploaded and deleted at once', async () => {
  const text = 'the same for all';
  for (let round = 0; round < 30; round++) {
    // oxlint-disable no-await-in-loop
    const uri = await uploads.upload(textUpload(text));
    const [other] = await Promise.all([
      uploads.upload(textUpload(text)),
      deletion.delete([{ origin: '', mediaId: idOf(uri) }]),
    ]);
    assert.equal(await contents.has(hashOf(text)), true);
    await deletion.delete([{ origin: '', mediaId: idOf(other) }]);
    assert.equal(await contents.has(hashOf(text)), false);
    // oxlint-enable no-await-in-loop
  }
});

test('copies of other servers’ media are kept once, and are fetched where there is none', async () => {
  const fetched: string[] = [];
  const keep = async (mediaId: string, text: string) => {
    const file = await temporary.write(Readable.from([Buffer.from(text)]));
    const copy = { origin: 'other.example', mediaId, contentType: 'text/plain', fileName: 'a' };
    await uploads.keepCopy(file, copy);
  };
  const remote = {
    async fetch({ serverName, mediaId }: { serverName: string; mediaId: string }) {
      fetched.push(`${serverName}/${mediaId}`);
      await keep(mediaId, `text of ${mediaId}`);
    },
  };
  const { find } = createFindMedia({ config, clock, bus, rows, remote });
  const wanted = { ...question, serverName: 'other.example', mediaId: 'one' };
  const missing = refusedAs('M_NOT_FOUND');
  await assert.rejects(find({ ...wanted, allowsRemote: false }), missing);
  await assert.rejects(find({ ...wanted, isOpen: true }), missing);
  await assert.rejects(find({ ...wanted, serverName: 'denied.example' }), missing);
  await assert.rejects(find({ ...wanted, serverName: 'no name' }), missing);
  await assert.rejects(find({ ...wanted, mediaId: 'x'.repeat(256) }), missing);
  assert.deepEqual(fetched, []);
  const { content, isAuthenticated } = await find(wanted);
  assert.equal(content.sha256, hashOf('text of one'));
  assert.equal(content.fileName, 'a');
  assert.equal(isAuthenticated, true);
  await find({ ...wanted, allowsRemote: false });
  assert.deepEqual(fetched, ['other.example/one']);
  await assert.rejects(find({ ...wanted, isOpen: true }), missing);

  await keep('one', 'what another process has fetched meanwhile');
  const { content: first } = await find(wanted);
  assert.equal(first.sha256, hashOf('text of one'));
  const late = hashOf('what another process has fetched meanwhile');
  assert.equal(await contents.has(late), false);
  await keep('one', 'text of one');
  assert.equal(await contents.has(first.sha256), true);
});

test('copies have a time of their own', async () => {
  const keptMs = { local: null, remote: 5 * day };
  const sweepCopies = createSweep({
    config: { keptMs },
    clock,
    deletion,
    temporary,
    log,
    previews: null,
  });
  const uri = await uploads.upload(textUpload('one of ours'));
  const file = await temporary.write(Readable.from([Buffer.from('one of theirs')]));
  const names = { origin: 'other.example', mediaId: 'old' };
  await uploads.keepCopy(file, { ...names, contentType: 'text/plain', fileName: null });
  now += 4 * day;
  await sweepCopies();
  assert.notEqual(await rows.find('other.example', 'old'), null);
  now += 2 * day;
  await sweepCopies();
  assert.equal(await rows.find('other.example', 'old'), null);
  assert.equal(await contents.has(hashOf('one of theirs')), false);
  assert.equal(await isThere(uri), true);
});
