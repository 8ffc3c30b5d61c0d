import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfig } from './config.ts';
import { ConfigError } from './read-files.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-config-'));
});
after(() => rm(folder, { recursive: true }));

async function load(yaml: string) {
  const path = join(folder, 'homeserver.yaml');
  await writeFile(path, `server_name: test.example\n${yaml}\n`);
  return loadConfig([path]);
}

async function problemsOf(yaml: string): Promise<string> {
  const error: unknown = await load(yaml).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof ConfigError);
  return error.problems.join('\n');
}

test('a provider with its defaults', async () => {
  const secretPath = join(folder, 'secret');
  await writeFile(secretPath, 'from a file\n');
  const { config } = await load(`
oidc_providers:
  - idp_id: one
    idp_name: One
    issuer: https://id.example/
    client_id: matrix
    client_secret_path: ${secretPath}
    user_mapping_provider: {config: {subject_claim: a-b}}
    attribute_requirements: [{attribute: a, value: b}, {attribute: c}]
  - {issuer: 'https://other.example', client_id: x, scopes: [profile]}`);
  const [one, other] = config.singleSignOn.oidc;
  assert.equal(one!.id, 'oidc-one');
  assert.equal(one!.clientSecret, 'from a file');
  assert.equal(one!.clientAuthMethod, 'client_secret_basic');
  assert.equal(one!.usesUserinfo, false);
  assert.equal(one!.mapping.subject, '{{ user["a-b"] }}');
  assert.deepEqual(one!.requirements, [
    { attribute: 'a', values: ['b'] },
    { attribute: 'c', values: null },
  ]);
  assert.equal(other!.id, 'oidc');
  assert.equal(other!.clientAuthMethod, 'none');
  assert.equal(other!.usesUserinfo, true);
});

test('what a provider lacks is told', async () => {
  const problems = await problemsOf(`
oidc_providers:
  - {idp_id: one, discover: false, issuer: x, client_auth_method: client_secret_post}
  - idp_id: one
    client_id: x
    issuer: no URL
    user_mapping_provider: {module: my.Provider}
    client_secret_jwt_key: {jwt_header: {}}
    attribute_requirements: [{value: x}]
  - {idp_id: 'a b', issuer: 'https://x', client_id: x}`);
  for (const expected of [
    '[0].client_id: this option is needed',
    '[0].token_endpoint: is needed without discovery',
    '[0].jwks_uri: is needed',
    '[0].client_auth_method: needs a secret',
    '[1].idp_id: another provider has this id',
    '[1].issuer: must be a URL',
    '[1].user_mapping_provider.module: modules in Python cannot be run',
    '[1].client_secret_jwt_key: key or key_file is needed',
    '[1].client_secret_jwt_key.jwt_header: alg is needed',
    '[1].attribute_requirements[0].attribute: is needed',
    '[2].idp_id: must be of letters',
  ]) {
    assert.ok(problems.includes(`oidc_providers${expected}`), `${expected} in\n${problems}`);
  }
});

test('CAS, and clients that are trusted', async () => {
  const { config, warnings } = await load(`
public_baseurl: https://matrix.example/
cas_config:
  server_url: https://cas.example/cas/
  required_attributes: {a: 1, b: null}
sso: {client_whitelist: ['https://app.example', 'https://b.example/']}`);
  assert.equal(config.singleSignOn.cas?.serverUrl, 'https://cas.example/cas');
  assert.deepEqual(config.singleSignOn.cas?.requirements, [
    { attribute: 'a', values: ['1'] },
    { attribute: 'b', values: null },
  ]);
  assert.deepEqual(config.singleSignOn.trustedClients, [
    'https://app.example',
    'https://b.example/',
    'https://matrix.example/_matrix/static/client/login',
  ]);
  assert.match(warnings.join(), /client_whitelist\[0\]: without a slash/);
  assert.equal((await load('cas_config: {enabled: false}')).config.singleSignOn.cas, null);
  const problems = await problemsOf("cas_config: {numeric_ids_prefix: '-'}");
  assert.match(problems, /server_url: this option is needed/);
  assert.match(problems, /numeric_ids_prefix: must be of letters/);
});
