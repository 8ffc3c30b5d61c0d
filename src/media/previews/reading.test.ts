import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeText } from './decode-text.ts';
import { createUrlFilter } from './denied-urls.ts';
import { loadOembed, readOembed } from './oembed.ts';
import { readPage } from './read-page.ts';
import { summaryOf } from './summary.ts';

const url = 'https://site.example/a/page.html';

describe('pages', () => {
  test('say what they are in Open Graph, and links become absolute', () => {
    const { og } = readPage(
      `<html><head><title>Other</title>
       <meta property="og:title" content="Tea &amp; Cake"/>
       <meta property="og:title" content="a second one"/>
       <meta property="og:image" content="../x.png"/>
       <meta property="og:empty" content=""/></head></html>`,
      url,
    );
    assert.deepEqual(og, { 'og:title': 'Tea & Cake', 'og:image': 'https://site.example/x.png' });
  });

  test('say it to Twitter, where they do not say it otherwise', () => {
    const { og } = readPage(
      `<meta name="twitter:card" content="summary"/><meta name="twitter:title" content="T"/>
       <meta name="twitter:site" content="@site"/><meta property="og:title" content="O"/>`,
      url,
    );
    assert.deepEqual(og, { 'og:title': 'O', 'og:site_name': '@site' });
  });

  test('without any of that are read: title, first picture, first words', () => {
    const { og } = readPage(
      `<html><head><title> A
         title </title><style>p {}</style></head>
       <body><nav>Menu</nav><img src="pixel.gif" width="1"><img src="/big.jpg">
       <p>First words.</p><script>var x = "no";</script><p>More  words.</p>
       <footer>Small print</footer></body></html>`,
      url,
    );
    assert.equal(og['og:image'], 'https://site.example/big.jpg');
    assert.equal(og['og:title'], 'A\n         title');
    assert.equal(og['og:description'], 'First words.\n\nMore words.');
  });

  test('have a base, an icon and a link to oEmbed', () => {
    const page = readPage(
      `<base href="https://cdn.example/"><link rel="shortcut icon" href="i.ico">
       <link rel="alternate" type="application/json+oembed" href="/oembed?x=1">`,
      url,
    );
    assert.equal(page.og['og:image'], 'https://cdn.example/i.ico');
    assert.equal(page.oembedUrl, 'https://cdn.example/oembed?x=1');
  });

  test('cannot make a preview large', () => {
    const metas = Array.from({ length: 500 }, (_, i) => `<meta property="og:x${i}" content="y">`);
    const long = `<meta property="og:title" content="${'z'.repeat(5_000)}">`;
    const { og } = readPage(long + metas.join(''), url);
    assert.equal(og['og:title'], undefined);
    assert.equal(Object.keys(og).length, 50);
    const { og: cut } = readPage(`<title>${'x'.repeat(999)}😀</title>`, url);
    assert.ok(cut['og:title']!.isWellFormed());
  });

  // Each took minutes; the tests end long before.
  test('cannot keep the parser busy', () => {
    for (const piece of ['<div>', '<nav>', '<i>', '<h1', '<h1>', '<meta ', '<!--', '</', ' ']) {
      readPage(piece.repeat(1_000_000 / piece.length), url);
    }
  });

  test('leave out what HTML lets them leave out', () => {
    const { og } = readPage('<title>T</title><p>Words</p>', url);
    assert.deepEqual(og, { 'og:title': 'T', 'og:description': 'Words' });
    const { og: heading } = readPage('<h2><a>Tea</a> &amp; <b>Cake</b></h2>', url);
    assert.equal(heading['og:title'], 'Tea & Cake');
    const { og: late } = readPage(`${'<div>\n   </div>'.repeat(2_000)}<p>At last</p>`, url);
    assert.equal(late['og:description'], 'At last');
    const { og: drawn } = readPage('<svg><title>An icon</title></svg><title>T\0</title>', url);
    assert.equal(drawn['og:title'], 'T\uFFFD');
  });

  test('have pictures, of which the largest counts, and one inside of the page the least', () => {
    const imageOf = (html: string) => readPage(html, url).og['og:image'];
    const inside = '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">';
    assert.equal(imageOf(`${inside}<img src="/a.png">`), 'https://site.example/a.png');
    assert.match(imageOf(inside)!, /^data:/);
    const sized = (name: string, side: number) =>
      `<img src="${name}" width="${side}" height="${side}">`;
    const images = `<img src="x.png">${sized('a.png', 20)}${sized('b.png', 200)}${sized('c.png', 9)}`;
    assert.equal(imageOf(images), 'https://site.example/a/b.png');
    const long = `data:image/png;base64,${'A'.repeat(5_000)}`;
    assert.equal(imageOf(`<meta property="og:image" content="${long}">`), long);
  });

  test('say more of articles and people', () => {
    const { og } = readPage('<meta property="article:author" content="A">', url);
    assert.deepEqual(og, { 'article:author': 'A' });
  });
});

test('descriptions are cut at a word', () => {
  assert.equal(summaryOf(' \n \n'), null);
  assert.equal(summaryOf('a  b\n\n\nc'), 'a b\n\nc');
  const long = summaryOf('word '.repeat(300))!;
  assert.ok(long.length <= 501 && long.endsWith('word…'), long);
});

describe('encodings', () => {
  const russian = Buffer.from([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2]);

  test('are told by the header, the page, or a byte order mark', () => {
    assert.equal(decodeText(russian, 'text/html; charset="windows-1251"'), 'Привет');
    const meta = Buffer.concat([Buffer.from('<meta charset=cp1251>'), russian]);
    assert.ok(decodeText(meta, 'text/html').endsWith('Привет'));
    const xml = Buffer.concat([Buffer.from('<?xml encoding="windows-1251"?>'), russian]);
    assert.ok(decodeText(xml, undefined).endsWith('Привет'));
    const wrong = Buffer.from('<meta charset="utf-16"><title>hé</title>');
    assert.match(decodeText(wrong, 'text/html'), /hé/);
    const wide = Buffer.from('\uFEFFhé', 'utf16le');
    assert.equal(decodeText(wide, 'text/html; charset=utf-8'), 'hé');
  });

  test('are UTF-8, or Windows-1252 where they are not', () => {
    assert.equal(decodeText(Buffer.from('hé'), 'text/html; charset=nonsense'), 'hé');
    assert.equal(decodeText(Buffer.from([0x68, 0xe9, 0x21]), undefined), 'hé!');
    const cut = Buffer.from('zwölf é').subarray(0, -1);
    assert.ok(decodeText(cut, undefined).startsWith('zwölf'));
  });
});

test('patterns of URLs that are not fetched', () => {
  const isAllowed = createUrlFilter([
    { netloc: '*.google.com' },
    { username: '*' },
    { scheme: 'http', netloc: 'plain.example', path: '/foo' },
    { netloc: '^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$' },
  ]);
  const verdicts: [string, boolean][] = [
    ['https://www.google.com/x', false],
    ['https://google.com/x', true],
    ['https://me@site.example/', false],
    ['http://plain.example/foo', false],
    ['https://plain.example/foo', true],
    ['http://plain.example/bar', true],
    ['http://8.8.8.8/', false],
  ];
  for (const [given, expected] of verdicts)
    assert.equal(isAllowed(new URL(given)), expected, given);
});

describe('oEmbed', () => {
  test('services are found by their URLs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lattice-oembed-'));
    const path = join(folder, 'providers.json');
    const endpoint = {
      schemes: ['https://tube.example/*'],
      url: 'https://tube.example/o.{format}',
    };
    await writeFile(path, JSON.stringify([{ provider_name: 'Tube', endpoints: [endpoint] }]));
    const find = await loadOembed({ hasDefaults: true, files: [path] });
    const asked = 'https://tube.example/o.json?url=https%3A%2F%2Ftube.example%2F1&format=json';
    assert.equal(find('https://tube.example/1'), asked);
    assert.match(find('https://twitter.com/someone/status/1')!, /^https:\/\/publish\.x\.com/);
    assert.equal(find('https://site.example/https://tube.example/1'), null);
    const without = await loadOembed({ hasDefaults: false, files: [] });
    assert.equal(without('https://twitter.com/someone/status/1'), null);
    await rm(folder, { recursive: true });
  });

  test('answers become Open Graph', () => {
    const rich = readOembed(
      { version: '1.0', type: 'rich', html: '<p>Said <b>so</b></p>', author_name: 'Me' },
      url,
    );
    assert.deepEqual(rich, {
      'og:url': url,
      'og:title': 'Me',
      'og:description': 'Said so',
    });
    for (const version of ['1.0', 1, undefined]) {
      const photo = readOembed({ version, type: 'photo', url: '/p.png' }, url);
      assert.equal(photo!['og:image'], 'https://site.example/p.png');
    }
    assert.equal(readOembed({ version: '2.0', type: 'photo', url: '/p.png' }, url), null);
    assert.equal(
      readOembed({ type: 'link', title: 'x'.repeat(5_000) }, url)!['og:type'],
      'website',
    );
    assert.equal(readOembed({ title: 'x'.repeat(5_000) }, url)!['og:title']!.length, 1_000);
    for (const nothing of [[], {}, null, 'x', { version: '1.0', title: 5 }]) {
      assert.equal(readOembed(nothing, url), null);
    }
  });
});
