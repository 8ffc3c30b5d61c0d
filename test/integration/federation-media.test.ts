import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { boundaryIn, readPart } from '../../src/media/remote/multipart.ts';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, uniqueName } from '../harness/client.ts';
import {
  codeOf,
  downloadPath,
  pathOf,
  rawRequest,
  thumbnailPath,
  upload,
} from '../harness/media.ts';
import {
  startRemoteServer,
  type RemoteAnswer,
  type RemoteServer,
} from '../harness/remote-server.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

const v1 = '/_matrix/federation/v1/media';
const idOf = (uri: string) => uri.split('/').at(-1)!;
const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());
const image = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 4, background: '#f008' } })
    .png()
    .toBuffer();

let server: TestServer;
let alice: TestClient;
let nobody: TestClient;
before(async () => {
  server = await startTestServer('max_upload_size: 20M', ['media_repository']);
  alice = await TestClient.register(server.url, 'alice');
  nobody = new TestClient(server.url);
});
after(() => server.close());

describe('what other servers get', () => {
  let remote: RemoteServer;
  before(async () => (remote = await startRemoteServer()));
  after(() => remote.stop());
  const get = (uri: string) => remote.fetch(server.url, 'GET', v1 + uri);

  async function partsOf(answer: Response) {
    assert.equal(answer.status, 200, await answer.clone().text());
    const boundary = boundaryIn(answer.headers.get('content-type')!);
    const body = await bytesOf(answer);
    assert.equal(Number(answer.headers.get('content-length')), body.length);
    const part = async (index: number) => {
      const { headers, content } = await readPart(
        (async function* whole() {
          yield body;
        })(),
        boundary!,
        index,
      );
      const pieces: Buffer[] = [];
      for await (const piece of content) pieces.push(piece);
      return { headers, content: Buffer.concat(pieces) };
    };
    return [await part(0), await part(1)] as const;
  }

  test('is what is known of a file, and the file', async () => {
    for (const size of [0, 1_000, 3_000_000]) {
      const content = randomBytes(size);
      // oxlint-disable no-await-in-loop
      const uri = await upload(alice, content, 'image/png', 'näme.png');
      const [about, file] = await partsOf(await get(`/download/${idOf(uri)}`));
      // oxlint-enable no-await-in-loop
      assert.deepEqual(about.headers, { 'content-type': 'application/json' });
      assert.equal(about.content.toString(), '{}');
      assert.deepEqual(file.headers, {
        'content-type': 'image/png',
        'content-disposition': "inline; filename*=utf-8''n%C3%A4me.png",
      });
      assert.ok(file.content.equals(content), `${size} bytes`);
    }
  });

  test('is a thumbnail, the same that clients get', async () => {
    const uri = await upload(alice, new Uint8Array(await image(300, 200)), 'image/png');
    const query = 'width=32&height=32&method=scale';
    const own = await bytesOf(await rawRequest(alice, 'GET', thumbnailPath(uri, query)));
    const [, theirs] = await partsOf(await get(`/thumbnail/${idOf(uri)}?${query}`));
    assert.equal(theirs.headers['content-type'], 'image/png');
    assert.ok(theirs.content.equals(own));
    const text = await upload(alice, new Uint8Array([1, 2, 3]));
    assert.equal(await codeOf(await get(`/thumbnail/${idOf(text)}?${query}`)), '400 M_UNKNOWN');
    const sizeless = await get(`/thumbnail/${idOf(uri)}`);
    assert.equal(await codeOf(sizeless), '400 M_MISSING_PARAM');
  });

  test('is only what may be had, and is this server’s', async () => {
    assert.equal(await codeOf(await get('/download/unknown')), '404 M_NOT_FOUND');
    const path = `${v1}/download/unknown`;
    assert.equal(await nobody.refused('GET', path), '401 M_UNAUTHORIZED');
    const { content_uri: later } = await alice.ok('POST', '/_matrix/media/v1/create', {});
    const early = await get(`/download/${idOf(later as string)}?timeout_ms=0`);
    assert.equal(await codeOf(early), '504 M_NOT_YET_UPLOADED');
    const uri = await upload(alice, randomBytes(10));
    const admin = await registerAdmin(server.url);
    const quarantine = `/_synapse/admin/v1/media/quarantine/${pathOf(uri)}`;
    await admin.ok('POST', quarantine, {});
    assert.equal(await codeOf(await get(`/download/${idOf(uri)}`)), '404 M_NOT_FOUND');
  });
});

/** A `multipart/mixed` answer. */
function multipart(headers: Record<string, string>, content: Uint8Array): RemoteAnswer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `--xyz\r\nContent-Type: application/json\r\n\r\n{}\r\n--xyz\r\n${lines.join('')}\r\n`;
  const body = Buffer.concat([
    Buffer.from(head, 'latin1'),
    content,
    Buffer.from('\r\n--xyz--\r\n'),
  ]);
  return [200, body, { 'Content-Type': 'multipart/mixed; boundary="xyz"' }];
}

type Answers = Record<string, (query: URLSearchParams) => RemoteAnswer | Promise<RemoteAnswer>>;
type Context = { after(end: () => Promise<void>): void };

/** Another server with answers by path. */
async function remoteWith(t: Context, answers: Answers): Promise<RemoteServer> {
  const remote = await startRemoteServer();
  t.after(() => remote.stop().catch(() => undefined));
  remote.answer = ({ uri }) => {
    const url = new URL(uri, 'https://remote');
    return answers[url.pathname]?.(url.searchParams) ?? null;
  };
  return remote;
}

const notFound: RemoteAnswer = [404, { errcode: 'M_NOT_FOUND', error: 'no' }];

describe('media of other servers', () => {
  test('are fetched once, and served as if they were this one’s', async (t) => {
    const content = randomBytes(200_000);
    const { promise: mayGo, resolve: go } = Promise.withResolvers<void>();
    const remote = await remoteWith(t, {
      async [`${v1}/download/abc-1`]() {
        await mayGo;
        const name = Buffer.from('filename="größe.bin"').toString('latin1');
        return multipart({ 'Content-Type': 'text/plain', 'Content-Disposition': name }, content);
      },
    });
    const uri = `mxc://${remote.name}/abc-1`;
    const get = (headers = {}) => rawRequest(alice, 'GET', downloadPath(uri), { headers });
    const many = [get(), get(), get()];
    go();
    for (const answer of await Promise.all(many)) {
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('content-type'), 'text/plain; charset=UTF-8');
      // oxlint-disable-next-line no-await-in-loop
      assert.ok((await bytesOf(answer)).equals(content));
    }
    const part = await get({ Range: 'bytes=10-19' });
    assert.equal(part.status, 206);
    assert.ok((await bytesOf(part)).equals(content.subarray(10, 20)));
    assert.equal(remote.asked.length, 1);
    assert.match(remote.asked[0]!.authorization, /^X-Matrix /);
    assert.equal(remote.asked[0]!.uri, `${v1}/download/abc-1?timeout_ms=20000`);
  });

  test('keep the name that their server says', async (t) => {
    const disposition = "inline; filename*=utf-8''gr%C3%B6%C3%9Fe.png";
    const remote = await remoteWith(t, {
      [`${v1}/download/a`]: () =>
        multipart(
          { 'content-disposition': disposition, 'content-type': 'image/png' },
          randomBytes(9),
        ),
      [`${v1}/download/b`]: () => multipart({}, randomBytes(9)),
    });
    const of = async (id: string) =>
      (await rawRequest(alice, 'GET', downloadPath(`mxc://${remote.name}/${id}`))).headers;
    assert.equal((await of('a')).get('content-disposition'), disposition);
    const bare = await of('b');
    assert.equal(bare.get('content-disposition'), 'attachment');
    assert.equal(bare.get('content-type'), 'application/octet-stream');
  });

  test('have thumbnails', async (t) => {
    const picture = await image(300, 200);
    const remote = await remoteWith(t, {
      [`${v1}/download/p`]: () => multipart({ 'Content-Type': 'image/png' }, picture),
    });
    const path = thumbnailPath(`mxc://${remote.name}/p`, 'width=32&height=32&method=crop');
    const made = await sharp(await bytesOf(await rawRequest(alice, 'GET', path))).metadata();
    assert.deepEqual([made.width, made.height], [32, 32]);
  });

  test('may lie elsewhere, where this server does not say who it is', async (t) => {
    const content = randomBytes(50);
    const elsewhere = await remoteWith(t, {
      '/moved': () => [302, Buffer.from(''), { Location: '/file' }],
      '/file': () => [200, content, { 'Content-Type': 'image/jpeg' }],
      '/gone': () => notFound,
    });
    const remote = await remoteWith(t, {
      [`${v1}/download/a`]: () =>
        multipart({ Location: `https://${elsewhere.name}/moved` }, Buffer.alloc(0)),
      [`${v1}/download/b`]: () =>
        multipart({ Location: `https://${elsewhere.name}/gone` }, Buffer.alloc(0)),
      [`${v1}/download/c`]: () => multipart({ Location: 'file:///etc/passwd' }, Buffer.alloc(0)),
    });
    const get = (id: string) =>
      rawRequest(alice, 'GET', downloadPath(`mxc://${remote.name}/${id}`));
    const answer = await get('a');
    assert.equal(answer.headers.get('content-type'), 'image/jpeg');
    assert.ok((await bytesOf(answer)).equals(content));
    assert.equal(await codeOf(await get('b')), '502 M_UNKNOWN');
    assert.equal(await codeOf(await get('c')), '502 M_UNKNOWN');
    assert.ok(elsewhere.asked.every(({ authorization }) => authorization === ''));
  });

  test('are fetched from servers without the endpoint for servers in the older way', async (t) => {
    const content = randomBytes(50);
    const remote = await remoteWith(t, {});
    const old = `/_matrix/media/v3/download/${remote.name}`;
    remote.answer = ({ uri }) => {
      const { pathname } = new URL(uri, 'https://remote');
      if (pathname === `${old}/a`) return [307, Buffer.from(''), { Location: '/cdn' }];
      if (pathname === '/cdn') {
        return [
          200,
          content,
          { 'Content-Type': 'image/gif', 'Content-Disposition': 'inline; filename=a.gif' },
        ];
      }
      if (pathname === `${v1}/download/plain`) return [404, Buffer.from('not found'), {}];
      if (pathname === `${old}/plain`) return [200, content, { 'Content-Type': 'image/gif' }];
      return null;
    };
    const get = (id: string) =>
      rawRequest(alice, 'GET', downloadPath(`mxc://${remote.name}/${id}`));
    const answer = await get('a');
    assert.equal(answer.headers.get('content-type'), 'image/gif');
    assert.equal(answer.headers.get('content-disposition'), 'inline; filename=a.gif');
    assert.ok((await bytesOf(answer)).equals(content));
    assert.equal((await get('plain')).status, 200);
    const unsigned = remote.asked.filter(({ uri }) => uri.startsWith(old));
    assert.ok(unsigned.length === 2 && unsigned.every(({ authorization }) => authorization === ''));
    assert.match(unsigned[0]!.uri, /[?&]allow_remote=false(&|$)/);
    assert.equal(await codeOf(await get('neither')), '404 M_NOT_FOUND');
  });

  test('are refused as their server refuses them', async (t) => {
    const remote = await remoteWith(t, {
      [`${v1}/download/none`]: () => notFound,
      [`${v1}/download/later`]: (query) => [
        504,
        { errcode: 'M_NOT_YET_UPLOADED', error: `for ${query.get('timeout_ms')}` },
      ],
      [`${v1}/download/limited`]: () => [429, { errcode: 'M_LIMIT_EXCEEDED', error: 'later' }],
      [`${v1}/download/large`]: () => [502, { errcode: 'M_TOO_LARGE', error: 'too large' }],
      [`${v1}/download/plain`]: () => [200, Buffer.from('abc'), { 'Content-Type': 'text/plain' }],
      [`${v1}/download/cut`]: () => {
        const [status, body, headers] = multipart({}, randomBytes(5_000));
        return [status, (body as Buffer).subarray(0, 3_000), headers!];
      },
    });
    const get = (id: string, query = '') =>
      rawRequest(alice, 'GET', `${downloadPath(`mxc://${remote.name}/${id}`)}${query}`).then(
        codeOf,
      );
    assert.equal(await get('none'), '404 M_NOT_FOUND');
    assert.ok(
      remote.asked.every(({ uri }) => uri.startsWith(v1)),
      'nothing else is tried',
    );
    assert.equal(await get('later', '?timeout_ms=7'), '504 M_NOT_YET_UPLOADED');
    assert.ok(remote.asked.at(-1)!.uri.endsWith('timeout_ms=7'));
    assert.equal(await get('limited'), '502 M_UNKNOWN');
    assert.equal(await get('plain'), '502 M_UNKNOWN');
    assert.equal(await get('cut'), '502 M_UNKNOWN');
    assert.equal(await get('large'), '502 M_TOO_LARGE');
    assert.equal(remote.asked.length, 6, 'none of these keeps it from being asked');
    const closed = await remoteWith(t, {});
    await closed.stop();
    const gone = await rawRequest(alice, 'GET', downloadPath(`mxc://${closed.name}/a`));
    assert.equal(await codeOf(gone), '502 M_UNKNOWN');
  });

  test('are not fetched for those without an account, or where that is not wanted', async (t) => {
    const remote = await remoteWith(t, {
      [`${v1}/download/a`]: () => multipart({ 'Content-Type': 'image/png' }, randomBytes(5)),
    });
    const old = `/_matrix/media/v3/download/${remote.name}/a`;
    assert.equal(await codeOf(await rawRequest(nobody, 'GET', old)), '404 M_NOT_FOUND');
    const only = await rawRequest(alice, 'GET', `${old}?allow_remote=false`);
    assert.equal(await codeOf(only), '404 M_NOT_FOUND');
    assert.deepEqual(remote.asked, []);
    assert.equal((await rawRequest(alice, 'GET', old)).status, 200);
    assert.equal(await codeOf(await rawRequest(nobody, 'GET', old)), '404 M_NOT_FOUND');
    assert.equal((await rawRequest(alice, 'GET', `${old}?allow_remote=false`)).status, 200);
  });

  test('can be looked at, put into quarantine and purged by admins', async (t) => {
    const content = randomBytes(500);
    const remote = await remoteWith(t, {
      [`${v1}/download/a`]: () => multipart({ 'Content-Type': 'image/png' }, content),
      [`${v1}/download/b`]: () => multipart({ 'Content-Type': 'image/png' }, content),
    });
    const get = (id: string) =>
      rawRequest(alice, 'GET', downloadPath(`mxc://${remote.name}/${id}`)).then((it) => it.status);
    const admin = await registerAdmin(server.url);
    const api = '/_synapse/admin/v1';
    assert.equal(await get('a'), 200);
    const { media_info: info } = await admin.ok('GET', `${api}/media/${remote.name}/a`);
    assert.equal(info['media_origin'], remote.name);
    assert.equal(info['media_length'], content.length);
    assert.equal(info['user_id'], null);
    await admin.ok('POST', `${api}/media/quarantine/${remote.name}/a`, {});
    assert.equal(await get('a'), 404);
    assert.equal(await get('b'), 404, 'the same content under another name');
    await admin.ok('POST', `${api}/media/unquarantine/${remote.name}/b`, {});
    assert.equal(await get('a'), 200);
    const asked = remote.asked.length;
    const path = `${api}/purge_media_cache?before_ts=${Date.now() + 60_000}`;
    const { deleted } = await admin.ok('POST', path, {});
    assert.ok((deleted as number) >= 2);
    assert.equal(await admin.refused('GET', `${api}/media/${remote.name}/a`), '404 M_NOT_FOUND');
    assert.equal(await get('a'), 200);
    assert.equal(remote.asked.length, asked + 1);
  });
});

describe('a server with limits', () => {
  let limited: TestServer;
  let denied: RemoteServer;
  let bob: TestClient;
  before(async () => {
    denied = await startRemoteServer();
    limited = await startTestServer(`
enable_authenticated_media: false
max_upload_size: 100K
remote_media_download_burst_count: 150K
remote_media_download_per_second: 1
prevent_media_downloads_from: ['${denied.name}']
`);
    bob = await TestClient.register(limited.url, 'bob');
  });
  after(async () => {
    await denied.stop();
    await limited.close();
  });
  const get = (remote: RemoteServer, id: string) =>
    rawRequest(bob, 'GET', downloadPath(`mxc://${remote.name}/${id}`));

  test('does not serve media of servers that it denies', async () => {
    denied.answer = () => multipart({}, randomBytes(5));
    assert.equal(await codeOf(await get(denied, uniqueName('m'))), '404 M_NOT_FOUND');
    assert.deepEqual(denied.asked, []);
  });

  test('fetches what is not larger than an upload may be, and not more than an address may have', async (t) => {
    const kibi = 1024;
    const remote = await remoteWith(t, {
      [`${v1}/download/whole`]: () => multipart({}, randomBytes(100 * kibi)),
      [`${v1}/download/larger`]: () => multipart({}, randomBytes(100 * kibi + 1)),
      [`${v1}/download/much`]: () => multipart({}, randomBytes(900 * kibi)),
      [`${v1}/download/small`]: () => multipart({}, randomBytes(10)),
    });
    const anybody = new TestClient(limited.url);
    const open = (id: string) =>
      rawRequest(anybody, 'GET', `/_matrix/media/v3/download/${remote.name}/${id}`);
    assert.equal((await bytesOf(await open('whole'))).length, 100 * kibi);
    assert.equal(await codeOf(await get(remote, 'larger')), '502 M_TOO_LARGE');
    assert.equal(await codeOf(await get(remote, 'much')), '429 M_LIMIT_EXCEEDED');
    assert.equal(await codeOf(await get(remote, 'small')), '429 M_LIMIT_EXCEEDED');
    assert.equal((await get(remote, 'whole')).status, 200, 'what is here costs nothing');
  });
});
