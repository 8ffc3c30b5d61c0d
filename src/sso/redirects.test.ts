import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientUrl, displayUrl, withLoginToken } from './redirects.ts';

test('addresses of clients may have any scheme but those that run something', () => {
  assert.equal(clientUrl('https://app.example'), 'https://app.example/');
  assert.equal(clientUrl('io.element.app:/callback?x=1'), 'io.element.app:/callback?x=1');
  for (const bad of [
    'javascript:alert(1)',
    ' JavaScript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    '/relative',
    '',
    `https://app.example/${'x'.repeat(5000)}`,
  ]) {
    assert.throws(() => clientUrl(bad), { code: 'M_INVALID_PARAM' }, bad);
  }
});

test('the token is added to the query, and takes the place of others', () => {
  assert.equal(withLoginToken('https://a/', 't'), 'https://a/?loginToken=t');
  assert.equal(
    withLoginToken('https://a/?x=%20&loginToken=old&log%69nToken=older&y#/home?z', 'a b'),
    'https://a/?x=%20&y&loginToken=a%20b#/home?z',
  );
  assert.equal(withLoginToken('app://connect', 't'), 'app://connect?loginToken=t');
});

test('people are shown the host, user names before it left out', () => {
  assert.equal(displayUrl('https://my.client@evil.example/path?q'), 'evil.example');
  assert.equal(displayUrl('app://connect/x?q#f'), 'app://connect/x');
});
