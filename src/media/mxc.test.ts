import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaIn, mediaName, parseMxc } from './mxc.ts';

test('mxc: URIs have a server and an id', () => {
  const parts = { serverName: 'a.example:8448', mediaId: 'x_Y-1' };
  assert.deepEqual(parseMxc('mxc://a.example:8448/x_Y-1'), parts);
  for (const wrong of ['https://a/b', 'mxc://a', 'mxc:///b', 'mxc://a/b/c', 'mxc://a/..', 7]) {
    assert.equal(parseMxc(wrong), null, String(wrong));
  }
  assert.deepEqual(mediaName({ serverName: 'a', mediaId: 'b' }, 'a'), { origin: '', mediaId: 'b' });
});

test('files and thumbnails of a content, encrypted ones too', () => {
  const uris = mediaIn({
    url: 'mxc://a/1',
    file: { url: 'mxc://a/2' },
    info: { thumbnail_url: 'mxc://a/3', thumbnail_file: { url: 'mxc://a/4' }, w: 1 },
    body: 'mxc://a/5',
  });
  assert.deepEqual(uris, ['mxc://a/1', 'mxc://a/2', 'mxc://a/3', 'mxc://a/4']);
  assert.deepEqual(mediaIn({ url: 'https://a/1', info: null, file: [] }), []);
});
