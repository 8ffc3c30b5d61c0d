import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { TestClient } from '../harness/client.ts';
import { downloadPath, rawRequest } from '../harness/media.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
let alice: TestClient;
let site = '';
const seen: string[] = [];

const png = await sharp({ create: { width: 30, height: 20, channels: 3, background: 'red' } })
  .png()
  .toBuffer();

function html(res: ServerResponse, text: string): void {
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  res.end(text);
}

const pages: Record<string, (res: ServerResponse) => void> = {
  '/page': (res) =>
    html(
      res,
      `<meta property="og:title" content="Title"><meta property="og:image" content="/x.png">
       <meta property="og:image:width" content="9999">`,
    ),
  '/x.png': (res) => {
    res.writeHead(200, { 'Content-Type': 'image/png' });
    res.end(png);
  },
  '/not-a-picture': (res) => {
    html(res, '<title>No picture</title><meta property="og:image" content="/page">');
  },
  '/picture-inside': (res) => {
    const image = `data:image/png;base64,${png.toString('base64')}`;
    html(res, `<meta property="og:image" content="${image}">`);
  },
  '/moved': (res) => res.writeHead(302, { Location: '/page' }).end(),
  '/inside': (res) => res.writeHead(302, { Location: 'http://127.0.0.2/' }).end(),
  '/denied-later': (res) => res.writeHead(302, { Location: '/secret/x' }).end(),
  '/endless.png': (res) => {
    res.writeHead(200, { 'Content-Type': 'image/png' });
    const more = () => {
      while (!res.destroyed && res.write(png));
    };
    res.on('drain', more);
    more();
  },
  '/embedded': (res) =>
    html(res, '<link rel="alternate" type="application/json+oembed" href="/oembed">'),
  '/oembed': (res) => {
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ version: '1.0', type: 'video', title: 'A film' }));
  },
  '/archive.zip': (res) => {
    res.writeHead(200, { 'Content-Type': 'application/zip' });
    res.end('PK');
  },
};

const web = createServer((req, res) => {
  const path = req.url ?? '';
  seen.push(`${path} ${req.headers['accept-language']}`);
  const page = pages[path];
  if (page) page(res);
  else res.writeHead(404).end();
});

before(async () => {
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  site = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  server = await startTestServer(`
url_preview_enabled: true
url_preview_ip_range_blacklist: [127.0.0.0/8]
url_preview_ip_range_whitelist: [127.0.0.1]
url_preview_url_blacklist: [{path: /secret/*}]
url_preview_accept_language: [fr, en;q=0.5]
max_spider_size: 100K`);
  alice = await TestClient.register(server.url, 'alice');
});
after(async () => {
  await server.close();
  web.closeAllConnections();
  web.close();
});

const preview = (url: string, more = '') =>
  alice.ok('GET', `/_matrix/client/v1/media/preview_url?url=${encodeURIComponent(url)}${more}`);
const refused = (url: string) =>
  alice.refused('GET', `/_matrix/media/v3/preview_url?url=${encodeURIComponent(url)}`);

test('a page with a picture, which becomes one of the server’s media', async () => {
  const { 'og:image': image, ...others } = await preview(`${site}/page`);
  assert.deepEqual(others, {
    'og:title': 'Title',
    'og:image:type': 'image/png',
    'og:image:width': 30,
    'og:image:height': 20,
    'matrix:image:size': png.length,
  });
  const answer = await rawRequest(alice, 'GET', downloadPath(image));
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), png);
  assert.ok(seen.includes('/page fr, en;q=0.5'));
});

test('is fetched once, however often it is asked for', async () => {
  const count = () => seen.filter((entry) => entry.startsWith('/page ')).length;
  const earlier = count();
  const asked = `${site}/page#part`;
  const [first, second] = await Promise.all([preview(asked), preview(asked)]);
  assert.deepEqual(first, second);
  assert.deepEqual(await preview(`${site}/page`, `&ts=${Date.now()}`), first);
  assert.equal(count(), earlier);
});

test('redirects, pictures, other files, and what pages tell by oEmbed', async () => {
  assert.equal((await preview(`${site}/moved`))['og:title'], 'Title');
  const picture = await preview(`${site}/x.png`);
  assert.deepEqual([picture['og:title'], picture['og:image:width']], ['x.png', 30]);
  assert.deepEqual(await preview(`${site}/archive.zip`), {});
  assert.equal((await preview(`${site}/embedded`))['og:title'], 'A film');
  const { 'og:image:width': width } = await preview(`${site}/picture-inside`);
  assert.equal(width, 30);
  assert.deepEqual(await preview(`${site}/not-a-picture`), { 'og:title': 'No picture' });
});

test('addresses and URLs that are denied are not fetched, by redirects neither', async () => {
  const count = seen.length;
  assert.equal(await refused('http://127.0.0.2/'), '403 M_UNKNOWN');
  assert.equal(await refused('http://[::ffff:127.0.0.2]/'), '403 M_UNKNOWN');
  assert.equal(await refused(`${site}/secret/x`), '403 M_UNKNOWN');
  assert.equal(seen.length, count);
  assert.equal(await refused(`${site}/inside`), '403 M_UNKNOWN');
  assert.equal(await refused(`${site}/denied-later`), '403 M_UNKNOWN');
  assert.ok(!seen.some((entry) => entry.startsWith('/secret')));
});

test('what cannot be had is said', async () => {
  assert.equal(await refused(`${site}/nowhere`), '502 M_UNKNOWN');
  assert.equal(await refused(`${site}/endless.png`), '502 M_UNKNOWN');
  assert.equal(await refused('ftp://site.example/x'), '400 M_INVALID_PARAM');
  assert.equal(await refused('nonsense'), '400 M_INVALID_PARAM');
  alice.token = null;
  assert.equal(await refused(`${site}/page`), '401 M_MISSING_TOKEN');
});

test('there are none unless they are switched on', async () => {
  const other = await startTestServer('url_preview_enabled: false');
  try {
    const user = await TestClient.register(other.url);
    const path = `/_matrix/client/v1/media/preview_url?url=${encodeURIComponent(site)}`;
    assert.equal(await user.refused('GET', path), '404 M_UNRECOGNIZED');
  } finally {
    await other.close();
  }
});
