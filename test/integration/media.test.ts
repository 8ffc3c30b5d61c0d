import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { TestClient } from '../harness/client.ts';
import {
  codeOf,
  downloadPath,
  pathOf,
  rawRequest,
  thumbnailPath,
  upload,
} from '../harness/media.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let bob: TestClient;
let nobody: TestClient;

const uploadBytesMax = 2_000_000;

before(async () => {
  server = await startTestServer(`
max_upload_size: ${uploadBytesMax}
max_pending_media_uploads: 2
max_image_pixels: 1000000
media_upload_limits: [{time_period: 1h, max_size: 20M}]`);
  alice = await TestClient.register(server.url, 'alice');
  bob = await TestClient.register(server.url, 'bob');
  nobody = new TestClient(server.url);
});
after(() => server.close());

const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());
const download = (client: TestClient, uri: string, headers: Record<string, string> = {}) =>
  rawRequest(client, 'GET', downloadPath(uri), { headers });
const picture = async (width: number, height: number, format: 'png' | 'jpeg' = 'png') =>
  new Uint8Array(
    await sharp({ create: { width, height, channels: 3, background: '#369' } })
      .toFormat(format)
      .toBuffer(),
  );

describe('uploads and downloads', () => {
  const content = new Uint8Array(randomBytes(1_500_000));

  test('what was uploaded is downloaded, by others too', async () => {
    const uri = await upload(alice, content, 'video/mp4', 'a film.mp4');
    assert.match(uri, /^mxc:\/\/test\.example\/[A-Za-z]{24}$/);
    const answer = await download(bob, uri);
    assert.equal(answer.status, 200);
    assert.deepEqual(await bytesOf(answer), Buffer.from(content));
    const { headers } = answer;
    assert.equal(headers.get('content-type'), 'video/mp4');
    assert.equal(headers.get('content-length'), String(content.length));
    assert.equal(headers.get('content-disposition'), "inline; filename*=utf-8''a%20film.mp4");
  });

  test('browsers are kept from running anything in it', async () => {
    const page = new TextEncoder().encode('<script>alert(1)</script>');
    const uri = await upload(alice, page, 'text/html', 'x.html');
    const { headers } = await download(alice, uri);
    assert.equal(headers.get('content-disposition'), 'attachment; filename=x.html');
    assert.match(headers.get('content-security-policy')!, /^sandbox; default-src 'none'/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin');
    assert.match(headers.get('cache-control')!, /^private, .*immutable/);
    assert.equal(headers.get('access-control-allow-origin'), '*');
  });

  test('a name of one’s own, in any script', async () => {
    const uri = await upload(alice, content.slice(0, 10));
    const path = `${downloadPath(uri)}/${encodeURIComponent('🐔 "x".png')}`;
    const answer = await rawRequest(alice, 'GET', path);
    const expected = "attachment; filename*=utf-8''%F0%9F%90%94%20%22x%22.png";
    assert.equal(answer.headers.get('content-disposition'), expected);
  });

  test('parts of a content, of large and small ones', async () => {
    for (const whole of [content, content.slice(0, 5_000)]) {
      // oxlint-disable-next-line no-await-in-loop
      const uri = await upload(alice, whole);
      const wanted: [string, number, number][] = [
        ['bytes=0-0', 0, 1],
        ['bytes=1000-3999', 1000, 4000],
        ['bytes=4000-', 4000, whole.length],
        ['bytes=-100', whole.length - 100, whole.length],
        ['bytes=4990-99999999', 4990, whole.length],
      ];
      for (const [range, from, to] of wanted) {
        // oxlint-disable-next-line no-await-in-loop
        const answer = await download(alice, uri, { Range: range });
        assert.equal(answer.status, 206, range);
        const said = answer.headers.get('content-range');
        assert.equal(said, `bytes ${from}-${to - 1}/${whole.length}`);
        // oxlint-disable-next-line no-await-in-loop
        assert.deepEqual(await bytesOf(answer), Buffer.from(whole.subarray(from, to)));
      }
      // oxlint-disable-next-line no-await-in-loop
      const outside = await download(alice, uri, { Range: `bytes=${whole.length}-` });
      assert.equal(outside.status, 416);
      assert.equal(outside.headers.get('content-range'), `bytes */${whole.length}`);
    }
  });

  test('a client that has it already is told so', async () => {
    const uri = await upload(alice, content);
    const etag = (await download(alice, uri)).headers.get('etag')!;
    const again = await download(alice, uri, { 'If-None-Match': etag });
    assert.equal(again.status, 304);
    assert.equal((await bytesOf(again)).length, 0);
    assert.equal((await download(alice, uri, { 'If-None-Match': '"other"' })).status, 200);
  });

  test('HEAD tells the length', async () => {
    const uri = await upload(alice, content);
    const answer = await rawRequest(alice, 'HEAD', downloadPath(uri));
    assert.equal(answer.headers.get('content-length'), String(content.length));
    assert.equal((await bytesOf(answer)).length, 0);
  });

  test('an empty file is a file', async () => {
    const uri = await upload(alice, new Uint8Array());
    const answer = await download(alice, uri);
    assert.deepEqual([answer.status, (await bytesOf(answer)).length], [200, 0]);
  });

  test('a type that is none is not sent on', async () => {
    const uri = await upload(alice, content.slice(0, 5), 'rubbish');
    const type = (await download(alice, uri)).headers.get('content-type');
    assert.equal(type, 'application/octet-stream');
  });

  test('tokens are needed, and media that were uploaded for accounts are for accounts', async () => {
    const uri = await upload(alice, content.slice(0, 5));
    assert.equal(await codeOf(await download(nobody, uri)), '401 M_MISSING_TOKEN');
    for (const version of ['v3', 'r0', 'v1']) {
      const path = `/_matrix/media/${version}/download/${pathOf(uri)}`;
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await codeOf(await rawRequest(nobody, 'GET', path)), '404 M_NOT_FOUND');
      // oxlint-disable-next-line no-await-in-loop
      assert.equal((await rawRequest(bob, 'GET', path)).status, 200);
    }
    const refused = await rawRequest(nobody, 'POST', '/_matrix/media/v3/upload');
    assert.equal(await codeOf(refused), '401 M_MISSING_TOKEN');
  });

  test('unknown media are not found', async () => {
    const uri = 'mxc://test.example/unknown';
    assert.equal(await codeOf(await download(alice, uri)), '404 M_NOT_FOUND');
  });

  test('uploads are bounded, with and without a length', async () => {
    const tooLarge = new Uint8Array(uploadBytesMax + 1);
    const path = '/_matrix/media/v3/upload';
    const announced = await rawRequest(alice, 'POST', path, { body: tooLarge });
    assert.equal(await codeOf(announced), '413 M_TOO_LARGE');
    const body = new Blob([tooLarge]).stream();
    assert.equal(await codeOf(await rawRequest(alice, 'POST', path, { body })), '413 M_TOO_LARGE');
    const small = new Blob([content.slice(0, 70_000)]).stream();
    assert.equal((await rawRequest(alice, 'POST', path, { body: small })).status, 200);
    const config = await alice.ok('GET', '/_matrix/client/v1/media/config');
    assert.deepEqual(config, { 'm.upload.size': uploadBytesMax });
    assert.deepEqual(await alice.ok('GET', '/_matrix/media/v3/config'), config);
  });

  test('each user has a quota', async () => {
    const carol = await TestClient.register(server.url, 'carol');
    const part = content.slice(0, 1_400_000);
    await Promise.all(Array.from({ length: 14 }, () => upload(carol, part)));
    const refused = await rawRequest(carol, 'POST', '/_matrix/media/v3/upload', { body: content });
    assert.equal(await codeOf(refused), '400 M_RESOURCE_LIMIT_EXCEEDED');
    await upload(bob, part);
  });
});

describe('uploads to ids that were made before', () => {
  const create = async (client: TestClient) => {
    const made = await client.ok('POST', '/_matrix/media/v1/create');
    assert.ok(made['unused_expires_at'] > Date.now());
    return made['content_uri'] as string;
  };
  const put = (client: TestClient, uri: string, text = 'late') =>
    rawRequest(client, 'PUT', `/_matrix/media/v3/upload/${pathOf(uri)}?filename=x.txt`, {
      headers: { 'Content-Type': 'text/plain' },
      body: new TextEncoder().encode(text),
    });

  test('there is nothing until the upload, and what was uploaded stays', async () => {
    const uri = await create(alice);
    const early = await rawRequest(bob, 'GET', `${downloadPath(uri)}?timeout_ms=0`);
    assert.equal(await codeOf(early), '504 M_NOT_YET_UPLOADED');
    assert.equal(await codeOf(await put(bob, uri)), '403 M_FORBIDDEN');
    assert.equal((await put(alice, uri)).status, 200);
    assert.equal(await codeOf(await put(alice, uri, 'other')), '409 M_CANNOT_OVERWRITE_MEDIA');
    const answer = await download(bob, uri);
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=UTF-8');
    assert.equal((await bytesOf(answer)).toString(), 'late');
  });

  test('a download waits for the upload', async () => {
    const uri = await create(alice);
    const waiting = rawRequest(bob, 'GET', `${downloadPath(uri)}?timeout_ms=30000`);
    assert.equal((await put(alice, uri)).status, 200);
    assert.equal((await bytesOf(await waiting)).toString(), 'late');
  });

  test('ids in waiting are few', async () => {
    const dora = await TestClient.register(server.url, 'dora');
    const uri = await create(dora);
    await create(dora);
    const refusal = await dora.refused('POST', '/_matrix/media/v1/create', {});
    assert.equal(refusal, '429 M_LIMIT_EXCEEDED');
    assert.equal((await put(dora, uri)).status, 200);
    await create(dora);
  });

  test('ids that nobody made cannot be uploaded to', async () => {
    for (const uri of ['mxc://test.example/unknown', 'mxc://other.example/abc']) {
      // oxlint-disable-next-line no-await-in-loop
      assert.equal(await codeOf(await put(alice, uri)), '404 M_NOT_FOUND');
    }
  });
});

describe('thumbnails', () => {
  const sizeOf = async (answer: Response) => {
    assert.equal(answer.status, 200);
    const { width, height, format, pages } = await sharp(await bytesOf(answer)).metadata();
    assert.equal(answer.headers.get('content-type'), `image/${format}`);
    return { width, height, format, pages };
  };
  const thumbnail = (uri: string, query: string) =>
    rawRequest(alice, 'GET', thumbnailPath(uri, query));

  test('have the configured sizes, and no image is enlarged', async () => {
    const uri = await upload(alice, await picture(1000, 500), 'image/png');
    const expected: [string, number, number][] = [
      ['width=20&height=20&method=crop', 32, 32],
      ['width=50&height=50&method=crop', 96, 96],
      ['width=20&height=20', 320, 160],
      ['width=320&height=240&method=scale', 320, 160],
      ['width=9999&height=9999&method=scale', 800, 400],
    ];
    for (const [query, width, height] of expected) {
      // oxlint-disable-next-line no-await-in-loop
      const size = await sizeOf(await thumbnail(uri, query));
      assert.deepEqual([size.width, size.height, size.format], [width, height, 'png'], query);
    }
    const photo = await upload(alice, await picture(100, 50, 'jpeg'), 'image/jpeg');
    const shown = await sizeOf(await thumbnail(photo, 'width=320&height=240&method=scale'));
    assert.deepEqual([shown.width, shown.height, shown.format], [100, 50, 'jpeg']);
    const background = { r: 9, g: 9, b: 9, alpha: 0.5 };
    const clear = sharp({ create: { width: 40, height: 30, channels: 4, background } }).png();
    const small = await upload(alice, new Uint8Array(await clear.toBuffer()), 'image/png');
    const size = await sizeOf(await thumbnail(small, 'width=320&height=240&method=scale'));
    assert.deepEqual([size.width, size.height, size.format], [40, 30, 'png']);
    const square = await sizeOf(await thumbnail(small, 'width=96&height=96&method=crop'));
    assert.deepEqual([square.width, square.height], [30, 30], 'cropped, and not enlarged');
  });

  test('are the same when asked for again, also at once', async () => {
    const uri = await upload(alice, await picture(200, 200), 'image/png');
    const query = 'width=32&height=32&method=crop';
    const answers = await Promise.all([1, 2, 3].map(() => thumbnail(uri, query)));
    const etags = new Set(
      [...answers, await thumbnail(uri, query)].map((a) => a.headers.get('etag')),
    );
    assert.equal(etags.size, 1);
  });

  test('move when that is asked for', async () => {
    const frame = (background: string) =>
      sharp({ create: { width: 400, height: 400, channels: 3, background } })
        .png()
        .toBuffer();
    const frames = await Promise.all(['red', 'blue', 'green'].map(frame));
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const uri = await upload(alice, new Uint8Array(gif), 'image/gif');
    const moving = await sizeOf(
      await thumbnail(uri, 'width=96&height=96&method=crop&animated=true'),
    );
    assert.deepEqual([moving.format, moving.pages], ['webp', 3]);
    const still = await sizeOf(await thumbnail(uri, 'width=96&height=96&method=crop'));
    assert.deepEqual([still.format, still.pages ?? 1], ['png', 1]);
  });

  test('are refused of what is too large, broken or no image', async () => {
    const query = 'width=32&height=32';
    const bomb = await upload(alice, await picture(2000, 2000), 'image/png');
    assert.equal(await codeOf(await thumbnail(bomb, query)), '413 M_TOO_LARGE');
    const text = new TextEncoder().encode('this is not a picture at all');
    const fake = await upload(alice, text, 'image/png');
    assert.equal(await codeOf(await thumbnail(fake, query)), '400 M_UNKNOWN');
    const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>');
    const drawing = await upload(alice, svg, 'image/svg+xml');
    assert.equal(await codeOf(await thumbnail(drawing, query)), '400 M_UNKNOWN');
    const broken = (await picture(100, 100)).slice(0, 60);
    const torn = await upload(alice, broken, 'image/png');
    assert.equal(await codeOf(await thumbnail(torn, query)), '400 M_UNKNOWN');
  });

  test('need a size', async () => {
    const uri = await upload(alice, await picture(10, 10), 'image/png');
    assert.equal((await thumbnail(uri, 'width=32')).status, 400);
    assert.equal((await thumbnail(uri, 'width=0&height=1')).status, 400);
    assert.equal((await thumbnail(uri, 'width=1&height=1&method=stretch')).status, 400);
  });
});

test('media of a time without authentication go on to be open, new ones not', async () => {
  const open = await startTestServer('enable_authenticated_media: false\ndynamic_thumbnails: true');
  try {
    const user = await TestClient.register(open.url);
    const visitor = new TestClient(open.url);
    const uri = await upload(user, await picture(100, 50), 'image/png');
    const answer = await rawRequest(visitor, 'GET', `/_matrix/media/r0/download/${pathOf(uri)}`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('cache-control')!, /^public/);
    const path = `/_matrix/media/v3/thumbnail/${pathOf(uri)}?width=33&height=44&method=crop`;
    const { width, height } = await sharp(
      await bytesOf(await rawRequest(visitor, 'GET', path)),
    ).metadata();
    assert.deepEqual([width, height], [33, 44]);
    const large = `${path.split('?')[0]}?width=400&height=100&method=crop`;
    const wide = await sharp(await bytesOf(await rawRequest(visitor, 'GET', large))).metadata();
    assert.deepEqual([wide.width, wide.height], [100, 25], 'the shape that was asked for');
  } finally {
    await open.close();
  }
});
