import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalMsisdn } from '../accounts/module.ts';
import { canonicalEmail, checkClientSecret, checkedNextLink } from './addresses.ts';
import { isAllowed } from './rules.ts';

test('mail addresses are compared without case; what is none is refused', () => {
  assert.equal(canonicalEmail(' Alice@Example.ORG '), 'alice@example.org');
  const wrong = [
    '',
    '@',
    'a@',
    '@b',
    'a@b@c',
    'a b@c',
    'a@b,c@d',
    '<a@b>',
    'a@b\r\nBcc: c@d',
    'a\u0007@b',
    'a\u202e@b',
    '\u{d800}@b',
  ];
  for (const address of [...wrong, `${'a'.repeat(500)}@b`]) {
    assert.throws(() => canonicalEmail(address), /not an email address/, address);
  }
});

test('phone numbers get the prefix of their country', async () => {
  assert.equal(await canonicalMsisdn('GB', '07700 900001'), '447700900001');
  assert.equal(await canonicalMsisdn('gb', '+49 30 123456'), '4930123456');
  await assert.rejects(canonicalMsisdn('GB', '12'), /Unable to parse/);
  await assert.rejects(canonicalMsisdn('XX', '07700 900001'), /Unable to parse/);
});

test('client secrets have the characters of the specification', () => {
  checkClientSecret('aZ0.=_-');
  for (const secret of ['', 'a b', 'ä', 'a/b', 'x'.repeat(256)]) {
    assert.throws(() => checkClientSecret(secret), /client_secret/);
  }
});

test('people are led to pages and to apps, and where there is a list only to its hosts', () => {
  checkedNextLink('https://client.example/done', null);
  assert.equal(checkedNextLink('element://connect', null), 'element://connect');
  assert.equal(checkedNextLink('https://client.example', null), 'https://client.example');
  const odd = 'https://client.example/→\r\nSet-Cookie:\0a';
  assert.equal(checkedNextLink(odd, null), 'https://client.example/%E2%86%92Set-Cookie:%00a');
  assert.equal(checkedNextLink('app://x/\u0000y', null), 'app://x/%00y');
  for (const link of ['javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x', 'x']) {
    assert.throws(() => checkedNextLink(link, null), /next_link/, link);
  }
  checkedNextLink('https://client.example/done', ['client.example']);
  assert.throws(() => checkedNextLink('https://client.example.evil/', ['client.example']));
  assert.throws(() => checkedNextLink('https://client.example/', []));
});

test('an address is allowed when a pattern of its medium matches from its beginning', () => {
  const allowed = [{ medium: 'email', pattern: /^(?:.*@example\.org$)/ }];
  assert.ok(isAllowed({ allowed }, 'email', 'a@example.org'));
  assert.ok(!isAllowed({ allowed }, 'email', 'a@example.org.evil'));
  assert.ok(!isAllowed({ allowed }, 'msisdn', 'a@example.org'));
  assert.ok(isAllowed({ allowed: [] }, 'msisdn', '1'));
});
