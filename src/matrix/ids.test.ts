import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  fitsIdBytes,
  isEventId,
  isRoomAlias,
  isRoomId,
  isServerName,
  isUserId,
  localpartOf,
  serverNameOf,
} from './ids.ts';
import { anyText } from '../kernel/test-text.ts';

test('an id is split at its first colon', () => {
  assert.equal(serverNameOf('@alice:example.org:8448'), 'example.org:8448');
  assert.equal(localpartOf('@alice:example.org:8448'), 'alice');
  assert.equal(serverNameOf('#a:[::1]'), '[::1]');
  assert.equal(localpartOf('@:example.org'), '');
  assert.equal(serverNameOf('!hash'), '');
  assert.equal(localpartOf('!hash'), 'hash');
});

test('server names', () => {
  const good = [
    'matrix.org',
    'matrix.org:8888',
    '1.2.3.4',
    '1.2.3.4:1234',
    '[1234:5678::abcd]',
    '[1234:5678::abcd]:5678',
    'localhost',
    'MATRIX.org',
  ];
  for (const name of good) assert.ok(isServerName(name), name);
  const bad = ['', ':80', 'a:', 'a:123456', 'a b', 'a_b', '[::1', '::1', 'é.org', 'a\n', 'a/b'];
  for (const name of bad) assert.ok(!isServerName(name), JSON.stringify(name));
});

test('user ids, historical ones included', () => {
  const good = ['@alice:example.org', '@:example.org', '@Älice b/=+:example.org:80', '@a@b:c'];
  for (const id of good) assert.ok(isUserId(id), id);
  const bad = ['alice:example.org', '@alice', '@alice:', '@a:b c', '@a\0:b', '#a:b', ''];
  for (const id of bad) assert.ok(!isUserId(id), JSON.stringify(id));
});

test('room aliases have a localpart', () => {
  assert.ok(isRoomAlias('#room with spaces:example.org'));
  for (const id of ['#:example.org', '#room', '!room:example.org', '#a\0:b', '#']) {
    assert.ok(!isRoomAlias(id), JSON.stringify(id));
  }
});

test('room and event ids, with and without a server name', () => {
  assert.ok(isRoomId('!opaque:example.org'));
  assert.ok(isRoomId('!old opaque:example.org'));
  assert.ok(isRoomId('!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM'));
  assert.ok(isEventId('$opaque:example.org'));
  assert.ok(isEventId('$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk'));
  for (const rest of ['', 'a\0', '\uD800', 'a'.repeat(255)]) {
    assert.ok(!isRoomId(`!${rest}`), JSON.stringify(rest));
    assert.ok(!isEventId(`$${rest}`), JSON.stringify(rest));
  }
  assert.ok(!isRoomId('$a'));
  assert.ok(!isEventId('!a'));
});

test('ids have at most 255 bytes', () => {
  const userId = (localpart: string) => `@${localpart}:b`;
  assert.ok(isUserId(userId('a'.repeat(252))));
  assert.ok(!isUserId(userId('a'.repeat(253))));
  assert.ok(isUserId(userId('é'.repeat(126))));
  assert.ok(!isUserId(userId('é'.repeat(127))));
  fc.assert(
    fc.property(anyText({ minLength: 50, maxLength: 260 }), (text) => {
      assert.equal(fitsIdBytes(text), Buffer.byteLength(text) <= 255);
    }),
  );
});
