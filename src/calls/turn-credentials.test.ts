import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallsConfig } from './config.ts';
import { turnCredentials } from './turn-credentials.ts';

const config: CallsConfig = {
  turnUris: ['turn:turn.example.org'],
  turnSecret: 'south',
  turnLogin: null,
  turnLifetimeMs: 3_600_000,
  turnAllowsGuests: true,
  rtcTransports: [],
};

test('credentials are the end of their time, the user, and the HMAC of both', () => {
  assert.deepEqual(turnCredentials(config, '@alice:example.org', 1_433_895_918_506), {
    username: '1433899518:@alice:example.org',
    // printf '%s' '1433899518:@alice:example.org' | openssl sha1 -hmac south -binary | base64
    password: 'waj8uG+gWSydZ3qzLDRj5rtZb8o=',
    ttl: 3600,
    uris: ['turn:turn.example.org'],
  });
});

test('without a secret all share one login, and without either there is none', () => {
  const shared = { ...config, turnSecret: null, turnLogin: { user: 'u', password: 'p' } };
  assert.equal(turnCredentials(shared, '@alice:example.org', 0)?.username, 'u');
  assert.equal(turnCredentials({ ...config, turnSecret: null }, '@a:b', 0), null);
  assert.equal(turnCredentials({ ...config, turnUris: [] }, '@a:b', 0), null);
});
