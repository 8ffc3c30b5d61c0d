import assert from 'node:assert/strict';
import { test } from 'node:test';
import { literalPrefix, parseRegistration } from './registration-files.ts';
import { appserviceRegistrations, isInterestedInUser } from './registrations.ts';

const registration = (id: string, regex: string) =>
  parseRegistration(
    {
      id,
      url: 'http://bridge.example//',
      as_token: `as of ${id}`,
      hs_token: 'hs',
      sender_localpart: id,
      namespaces: { users: [{ exclusive: true, regex }] },
    },
    'us.test',
  );

test('what all matches of a pattern begin with', () => {
  for (const [pattern, prefix] of [
    ['@irc_.*', '@irc_'],
    ['^@irc_.*', '@irc_'],
    ['@irc\\.a.*:us\\.test', '@irc.a'],
    ['@ab?.*', '@a'],
    ['@ab+.*', '@ab'],
    ['@ab*', '@a'],
    ['@ab{0,2}', '@a'],
    ['@one|@two', ''],
    ['(?i)@irc', ''],
    ['@(irc|x)', ''],
    ['@\\w+', '@'],
    ['@whole:us.test', '@whole:us'],
    ['.*', ''],
  ] as const) {
    assert.equal(literalPrefix(pattern), prefix, pattern);
  }
});

test('a service is interested in users of this server only', () => {
  const irc = registration('irc', '@irc_.*');
  assert.equal(irc.url, 'http://bridge.example');
  assert.ok(isInterestedInUser(irc, '@irc_a:us.test'));
  assert.ok(isInterestedInUser(irc, '@irc:us.test'));
  assert.ok(!isInterestedInUser(irc, '@irc_a:them.test'));
  assert.ok(!isInterestedInUser(irc, '@my_irc_a:us.test'));
});

test('registrations are replaced as a whole, or stay as they are', () => {
  const [irc, xmpp] = [registration('irc', '@irc_.*'), registration('xmpp', '@xmpp_.*')];
  const registrations = appserviceRegistrations([irc]);
  let told = 0;
  registrations.onReplaced(() => told++);
  assert.throws(() => registrations.replace([xmpp, xmpp]), /same as_token/);
  assert.equal(registrations.byId('irc'), irc);
  registrations.replace([xmpp]);
  assert.equal(told, 1);
  assert.equal(registrations.byId('irc'), undefined);
  assert.equal(registrations.byToken('as of xmpp'), xmpp);
  assert.equal(registrations.exclusiveFor('@xmpp_b:us.test'), xmpp);
  assert.deepEqual(registrations.all, [xmpp]);
});
