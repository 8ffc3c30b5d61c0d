import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKnown, rangeOf } from './byte-range.ts';
import { contentDisposition, contentHeaders, safeContentType } from './content-headers.ts';
import { boundedSize, chooseSize } from './thumbnails/choose-size.ts';
import { imageFormatOf } from './thumbnails/image-format.ts';

test('ranges of a content of 10 bytes', () => {
  const expected: [string, unknown][] = [
    ['bytes=0-4', { start: 0, end: 4 }],
    ['bytes=5-', { start: 5, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-99', { start: 0, end: 9 }],
    ['bytes=9-99', { start: 9, end: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-4', null],
    ['bytes=-', null],
    ['bytes=0-1,3-4', null],
    ['lines=0-1', null],
  ];
  for (const [range, result] of expected) {
    assert.deepEqual(rangeOf({ range }, 10, '"e"'), result, range);
  }
  assert.equal(rangeOf({ range: 'bytes=0-', 'if-range': '"other"' }, 10, '"e"'), null);
  assert.deepEqual(rangeOf({ range: 'bytes=0-', 'if-range': '"e"' }, 10, '"e"'), {
    start: 0,
    end: 9,
  });
  assert.equal(rangeOf({ range: 'bytes=0-' }, 0, '"e"'), 'unsatisfiable');
});

test('what a client knows', () => {
  assert.equal(isKnown({}, '"e"'), false);
  assert.equal(isKnown({ 'if-none-match': '"a", W/"e"' }, '"e"'), true);
  assert.equal(isKnown({ 'if-none-match': '*' }, '"e"'), true);
});

test('only harmless types are shown inline', () => {
  assert.equal(contentDisposition('image/png', null), 'inline');
  assert.equal(contentDisposition('Text/Plain; charset=x', 'a.txt'), 'inline; filename=a.txt');
  for (const type of ['text/html', 'image/svg+xml', 'application/pdf', 'text/xml', '']) {
    assert.equal(contentDisposition(type, null), 'attachment', type);
  }
});

test('names of files cannot break a header', () => {
  const name = 'a"b\r\nSet-Cookie: x;é\ud800';
  const header = contentDisposition('text/html', name);
  const encoded = 'a%22b%0D%0ASet-Cookie%3A%20x%3B%C3%A9%EF%BF%BD';
  assert.equal(header, `attachment; filename*=utf-8''${encoded}`);
});

test('types are sent on only when they can be', () => {
  assert.equal(safeContentType('text/plain; charset=utf-8'), 'text/plain; charset=utf-8');
  for (const wrong of [undefined, '', 'x', 'a/b\r\nc: d', 'é/x', `a/${'b'.repeat(300)}`]) {
    assert.equal(safeContentType(wrong), 'application/octet-stream');
  }
  const of = (contentType: string) =>
    contentHeaders({ sha256: 'ab', contentType, fileName: null, isPublic: true })['Content-Type'];
  assert.equal(of('text/plain'), 'text/plain; charset=UTF-8');
  assert.equal(of('text/plain; charset=x'), 'text/plain; charset=x');
});

test('the nearest of the sizes of thumbnails', () => {
  const sizes = [
    { width: 640, height: 480, method: 'scale' },
    { width: 32, height: 32, method: 'crop' },
    { width: 320, height: 240, method: 'scale' },
  ] as const;
  const choose = (width: number, height: number, method: 'crop' | 'scale') =>
    chooseSize(sizes, { width, height, method })?.width;
  assert.equal(choose(100, 100, 'scale'), 320);
  assert.equal(choose(320, 241, 'scale'), 640);
  assert.equal(choose(9_999, 1, 'scale'), 640);
  assert.equal(choose(32, 20, 'crop'), 32);
  assert.equal(choose(33, 20, 'crop'), 320, 'rather the whole picture than a smaller piece of it');
  assert.equal(choose(500, 500, 'crop'), 640);
  assert.equal(chooseSize([sizes[1]], { width: 99, height: 99, method: 'scale' })?.width, 32);
  assert.equal(chooseSize([sizes[0]], { width: 1, height: 1, method: 'crop' })?.width, 640);
  assert.equal(chooseSize([], { width: 1, height: 1, method: 'crop' }), null);
  assert.equal(boundedSize({ width: 99_999, height: 1, method: 'crop' }).width, 2_048);
});

test('formats of images by their first bytes', () => {
  const padded = (text: string) => Buffer.from(text.padEnd(32, '\0'), 'latin1');
  assert.equal(imageFormatOf(padded('\xff\xd8\xff')), 'jpeg');
  assert.equal(imageFormatOf(padded('\x89PNG\r\n\x1a\n')), 'png');
  assert.equal(imageFormatOf(padded('GIF89a')), 'gif');
  assert.equal(imageFormatOf(padded('RIFF\0\0\0\0WEBP')), 'webp');
  assert.equal(imageFormatOf(padded('\0\0\0\x20ftypavif')), 'avif');
  for (const other of ['<svg ', 'RIFF\0\0\0\0WAVE', '%PDF-1.7', '\0\0\0\x20ftypmp42']) {
    assert.equal(imageFormatOf(padded(other)), null, other);
  }
  assert.equal(imageFormatOf(Buffer.from('\xff\xd8\xff', 'latin1')), null);
});
