import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { createLog } from '../../kernel/log.ts';
import type { OutboundAnswer } from '../../outbound/outbound-http.ts';
import { SsoError } from '../sso-error.ts';
import { authenticate, clientSecretOf } from './client-secret.ts';
import { isSigned, parseJwt, signJwt } from './jwt.ts';
import type { OidcConfig } from './oidc-config.ts';
import { createOidcProvider } from './oidc-provider.ts';

const issuer = 'https://id.example';
const config: OidcConfig = {
  id: 'oidc',
  name: 'Example',
  icon: null,
  brand: null,
  issuer,
  isDiscovered: true,
  isChecked: true,
  clientId: 'a client',
  clientSecret: 'a secret',
  clientSecretJwt: null,
  clientAuthMethod: 'client_secret_basic',
  pkce: 'auto',
  algorithms: null,
  scopes: ['openid'],
  authorizationEndpoint: null,
  tokenEndpoint: null,
  userinfoEndpoint: null,
  jwksUri: null,
  usesUserinfo: false,
  redirectUri: null,
  parameters: {},
  passedThrough: [],
  adoptsExistingUsers: false,
  registersUsers: true,
  mapping: {
    subject: '{{ user.sub }}',
    localpart: null,
    confirmsLocalpart: false,
    displayName: null,
    email: '{{ user.email }}',
    picture: '',
    extra: {},
  },
  requirements: [],
  logsOutByBackchannel: false,
  ignoresSubjectAtLogout: false,
};

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pemOf = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }) as string;

/** A provider that answers from memory, and a clock. */
function played(more: Partial<OidcConfig> = {}, metadata: object = {}) {
  const state = { nowTs: 1_900_000_000_000, key: newKey(), keysAsked: 0, claims: {} as object };
  const answer = (body: object): OutboundAnswer => ({
    status: 200,
    headers: {},
    url: '',
    body: Buffer.from(JSON.stringify(body)),
  });
  const provider = createOidcProvider(
    { ...config, ...more },
    {
      clock: { now: () => state.nowTs },
      log: createLog('error', { write: () => undefined }),
      callbackUrl: 'https://matrix.example/callback',
      http: {
        async getJson(url) {
          if (url === `${issuer}/keys`) {
            state.keysAsked += 1;
            return { keys: [state.key.publicKey.export({ format: 'jwk' }), null, 'x'] };
          }
          assert.equal(url, `${issuer}/.well-known/openid-configuration`);
          return {
            issuer,
            authorization_endpoint: `${issuer}/authorise`,
            token_endpoint: `${issuer}/token`,
            jwks_uri: `${issuer}/keys`,
            id_token_signing_alg_values_supported: ['ES256'],
            ...metadata,
          };
        },
        get: () => Promise.reject(new Error('not asked')),
        async postForm() {
          const seconds = Math.floor(state.nowTs / 1000);
          const claims = {
            iss: issuer,
            aud: 'a client',
            iat: seconds,
            exp: seconds + 60,
            nonce: 'n',
            sub: 'somebody',
            ...state.claims,
          };
          return answer({
            id_token: await signJwt({ alg: 'ES256' }, claims, pemOf(state.key.privateKey)),
          });
        },
      },
    },
  );
  return { provider, state, come: () => provider.userOf('code', { nonce: 'n' }) };
}

const isRefused = (error: string) => (thrown: unknown) =>
  thrown instanceof SsoError && thrown.error === error;

test('keys are remembered, and asked for anew when one does not fit, but not all the time', async () => {
  const { state, come } = played();
  assert.equal((await come()).externalId, 'somebody');
  await come();
  assert.equal(state.keysAsked, 1);
  state.key = newKey();
  state.nowTs += 10_000;
  await assert.rejects(come(), isRefused('invalid_token'));
  assert.equal(state.keysAsked, 1);
  state.nowTs += 20_000;
  await come();
  assert.equal(state.keysAsked, 2);
});

test('what a provider says of itself is checked', async () => {
  for (const wrong of [
    { issuer: 'https://other.example' },
    { token_endpoint: 'http://id.example/token' },
    { authorization_endpoint: 'none' },
  ]) {
    // oxlint-disable-next-line no-await-in-loop
    await assert.rejects(played({}, wrong).come(), isRefused('server_error'));
  }
  const unchecked = { token_endpoint: 'http://id.example/token' };
  await played({ isChecked: false }, unchecked).come();
});

test('claims become a user; without a claim or a right template nobody is let in', async () => {
  const { state, come } = played();
  state.claims = { email: 'a@b.example', groups: ['x'], sid: 's' };
  const user = await come();
  assert.deepEqual(user.attributes.emails, ['a@b.example']);
  assert.deepEqual(user.claims['groups'], ['x']);
  assert.deepEqual(user.claims['sub'], ['somebody']);
  assert.equal(user.sessionId, 's');
  const { come: other } = played({ mapping: { ...config.mapping, subject: '{{ user.other }}' } });
  assert.equal((await other()).externalId, '');
  const { come: broken } = played({ mapping: { ...config.mapping, subject: '{{ user.' } });
  await assert.rejects(broken(), isRefused('mapping_error'));
});

test('secrets: in the header, in the form, or signed by a key', async () => {
  const clock = { now: () => 1_900_000_000_000 };
  const form = new URLSearchParams();
  const secret = await clientSecretOf(config, issuer, clock);
  const { Authorization: header = '' } = authenticate(form, config, secret);
  assert.equal(Buffer.from(header.split(' ')[1]!, 'base64').toString(), 'a+client:a+secret');
  assert.equal(form.size, 0);

  const { privateKey, publicKey } = newKey();
  const withKey: OidcConfig = {
    ...config,
    clientSecret: null,
    clientAuthMethod: 'client_secret_post',
    clientSecretJwt: {
      key: pemOf(privateKey),
      header: { alg: 'ES256', kid: 'k' },
      payload: { iss: 'team' },
    },
  };
  const signed = await clientSecretOf(withKey, issuer, clock);
  assert.deepEqual(authenticate(form, withKey, signed), {});
  assert.equal(form.get('client_id'), 'a client');
  const jwt = parseJwt(form.get('client_secret')!)!;
  assert.deepEqual(jwt.claims, {
    iss: 'team',
    sub: 'a client',
    aud: issuer,
    iat: 1_900_000_000,
    exp: 1_900_003_600,
  });
  assert.equal(jwt.header['kid'], 'k');
  const keys = [{ ...publicKey.export({ format: 'jwk' }) }];
  assert.ok(await isSigned(jwt, { keys, secret: null, allowed: ['ES256'] }));
});
