import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from './pdu.ts';
import { parseServerAcl } from './server-acl.ts';

const allows = (content: JsonObject, ...names: string[]) =>
  names.filter((name) => parseServerAcl(content).allows(name));

test('whom `allow` names may come, unless `deny` names them', () => {
  const acl = { allow: ['*'], deny: ['evil.example', '*.evil.example', 'e?il.org'] };
  const names = ['good.example', 'evil.example', 'very.evil.example', 'evil.org', 'eil.org'];
  assert.deepEqual(allows(acl, ...names), ['good.example', 'eil.org']);
  const few = { allow: ['good.example', '*.good.example'] };
  assert.deepEqual(allows(few, 'good.example', 'a.good.example', 'better.example'), [
    'good.example',
    'a.good.example',
  ]);
});

test('ports and case do not count', () => {
  const acl = { allow: ['*'], deny: ['EVIL.example', '*.Bad.example', '[::1]'] };
  const denied = [
    'evil.example:8448',
    'Evil.Example',
    'a.bad.example:1',
    '[::1]',
    '[::1]:8448',
    'A.BAD.EXAMPLE',
  ];
  assert.deepEqual(allows(acl, ...denied, 'example:8448', '[::2]:8448'), [
    'example:8448',
    '[::2]:8448',
  ]);
  // A port in a pattern is never matched.
  assert.deepEqual(allows({ allow: ['a.example:8448'] }, 'a.example:8448'), []);
});

test('addresses are refused only where that is said', () => {
  const addresses = ['1.2.3.4', '1.2.3.4:8448', '[::1]', '[::1]:8448'];
  const name = '1.2.3.4.example';
  assert.deepEqual(allows({ allow: ['*'] }, ...addresses, name), [...addresses, name]);
  const strict = { allow: ['*'], allow_ip_literals: false };
  assert.deepEqual(allows(strict, ...addresses, name), [name]);
  // Not even where they are named; and what is no boolean says nothing.
  const named = { allow: ['*', '1.2.3.4'], allow_ip_literals: false };
  assert.deepEqual(allows(named, '1.2.3.4'), []);
  assert.deepEqual(allows({ allow: ['*'], allow_ip_literals: 'no' }, '1.2.3.4'), ['1.2.3.4']);
});

test('without a list of those allowed nobody is; what is no list or no text is not there', () => {
  for (const content of [
    {},
    { deny: [] },
    { allow: '*' },
    { allow: [1, null, {}] },
    { allow: [] },
  ]) {
    assert.deepEqual(allows(content as JsonObject, 'a.example'), []);
  }
  const odd = { allow: [1, '*'], deny: 'a.example' } as JsonObject;
  assert.deepEqual(allows(odd, 'a.example'), ['a.example']);
});

test('special characters of regular expressions are themselves', () => {
  const acl = { allow: ['*'], deny: ['evil.example', '(a|b).example', '*+.example'] };
  assert.deepEqual(allows(acl, 'evilxexample', 'a.example'), ['evilxexample', 'a.example']);
});

test('a pattern that takes others long does not take long', () => {
  const acl = parseServerAcl({ allow: [`${'*a'.repeat(100)}*b`] });
  assert.equal(acl.allows('a'.repeat(250)), false);
});
