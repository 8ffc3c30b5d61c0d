import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkedUser } from './checked-user.ts';
import type { RemoteUser } from './identity-provider.ts';

const user: RemoteUser = {
  externalId: 'somebody',
  claims: {},
  attributes: {
    localpart: null,
    confirmsLocalpart: false,
    displayName: null,
    emails: [],
    picture: null,
  },
  sessionId: null,
  extra: null,
};

test('nobody is let in without an id that can be kept', () => {
  assert.deepEqual(checkedUser(user), user);
  for (const externalId of ['', 'a\0b', '\ud800', 'x'.repeat(1025)]) {
    assert.throws(() => checkedUser({ ...user, externalId }), { error: 'mapping_error' });
  }
});

test('what else cannot be kept is left out', () => {
  const emails = ['a@b.example', 'none', 'a b@c', 'a\0@b', `${'x'.repeat(250)}@b.example`];
  const checked = checkedUser({
    ...user,
    sessionId: 'a\0b',
    attributes: { ...user.attributes, displayName: 'é'.repeat(300), emails },
  });
  assert.equal(checked.sessionId, null);
  assert.equal(checked.attributes.displayName, 'é'.repeat(256));
  assert.deepEqual(checked.attributes.emails, ['a@b.example']);
});
