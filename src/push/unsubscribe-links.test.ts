import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUnsubscribeLinks, unsubscribePath } from './unsubscribe-links.ts';

const links = createUnsubscribeLinks('secret', 'https://matrix.example');
const pusher = { userNid: 7, appId: 'm.email', pushkey: 'me+you@example.org' };

function queryOf(link: string) {
  const url = new URL(link);
  assert.equal(url.origin + url.pathname, `https://matrix.example${unsubscribePath}`);
  return Object.fromEntries(url.searchParams) as Parameters<typeof links.read>[0];
}

test('a link leads to its pusher', () => {
  assert.deepEqual(links.read(queryOf(links.linkFor(pusher))), pusher);
});

test('a link is good for no other pusher, user or server', () => {
  const query = queryOf(links.linkFor(pusher));
  assert.equal(links.read({ ...query, pushkey: 'you@example.org' }), null);
  assert.equal(links.read({ ...query, app_id: 'other' }), null);
  assert.equal(links.read({ ...query, access_token: `8${query.access_token.slice(1)}` }), null);
  assert.equal(links.read({ ...query, access_token: '' }), null);
  assert.equal(createUnsubscribeLinks('other', '').read(query), null);
});
