import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inviteFiltersIn, invitePermissionsIn } from './invite-permissions.ts';
import type { JsonObject } from './pdu.ts';

const actions = (content: JsonObject, ...inviters: string[]) => {
  const permissions = inviteFiltersIn(content);
  return inviters.map((inviter) => permissions.actionFor(inviter)).join(' ');
};

test('all are invited, or nobody', () => {
  const action = (content: JsonObject) => invitePermissionsIn(content).actionFor('@a:x');
  assert.equal(action({}), 'allow');
  assert.equal(action({ default_action: 'allow' }), 'allow');
  assert.equal(action({ default_action: 5 }), 'allow');
  assert.equal(action({ default_action: 'block' }), 'block');
});

test('lists of users come before lists of servers, allowed before ignored before blocked', () => {
  assert.equal(actions({}, '@a:x'), 'allow');
  assert.equal(actions({ blocked_users: ['@a:x'] }, '@a:x', '@b:x'), 'block allow');
  assert.equal(actions({ ignored_servers: ['x'] }, '@a:x', '@a:y'), 'ignore allow');
  const mixed = { allowed_users: ['@a:x'], blocked_servers: ['x'] };
  assert.equal(actions(mixed, '@a:x', '@b:x'), 'allow block');
  const other = { blocked_users: ['@a:x'], allowed_servers: ['x'] };
  assert.equal(actions(other, '@a:x', '@b:x'), 'block allow');
  const all = { allowed_users: ['@a:x'], ignored_users: ['@a:x', '@b:x'], blocked_users: ['@*:x'] };
  assert.equal(actions(all, '@a:x', '@b:x', '@c:x'), 'allow ignore block');
});

test('patterns', () => {
  const content = { blocked_users: ['@user-?*'], ignored_servers: ['*.evil.example'] };
  assert.equal(actions(content, '@user-1:x', '@user-:x', '@use:x'), 'block block allow');
  assert.equal(actions(content, '@a:b.evil.example', '@a:evil.example'), 'ignore allow');
});

test('what is no list and no pattern is left out', () => {
  const content = { allowed_users: null, blocked_users: ['', 5, '*'.repeat(256)], x: '@a:x' };
  assert.equal(actions(content, '@a:x'), 'allow');
});
