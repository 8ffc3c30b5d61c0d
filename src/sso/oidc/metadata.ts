import type { Clock } from '../../kernel/clock.ts';
import { SsoError } from '../sso-error.ts';
import type { Jwk } from './jwt.ts';
import type { OidcConfig } from './oidc-config.ts';
import type { ProviderHttp } from '../provider-http.ts';
import { remembered } from './remembered.ts';

/** What is known of a provider (OpenID Connect Discovery 1.0). */
export interface ProviderMetadata {
  issuer: string;
  authorizationEndpoint: string;
  tokenEndpoint: string;
  userinfoEndpoint: string | null;
  jwksUri: string | null;
  /** By which it signs. */
  algorithms: readonly string[];
  usesPkce: boolean;
}

export interface Metadata {
  /** Rejects with SsoError. */
  get(): Promise<ProviderMetadata>;
  /** Its keys. `isNewer`: they did not fit, so it may have others now. */
  keys(isNewer: boolean): Promise<readonly Jwk[]>;
}

const hourMs = 60 * 60 * 1000;
/** A provider is not asked for its keys more often, whatever tokens are presented. */
const shortestMs = 30_000;
const keysMax = 100;

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

const isObject = (value: unknown): value is Jwk => typeof value === 'object' && value !== null;

const wrong = (what: string) =>
  new SsoError('server_error', `What the identity provider says of itself is wrong: ${what}`, 502);

function metadataOf(config: OidcConfig, found: Readonly<Record<string, unknown>>) {
  const endpoint = (name: string, configured: string | null) => configured ?? textOf(found[name]);
  const said = textsOf(found['id_token_signing_alg_values_supported']);
  const methods = textsOf(found['code_challenge_methods_supported']);
  return {
    issuer: textOf(found['issuer']) ?? config.issuer,
    authorizationEndpoint: endpoint('authorization_endpoint', config.authorizationEndpoint) ?? '',
    tokenEndpoint: endpoint('token_endpoint', config.tokenEndpoint) ?? '',
    userinfoEndpoint: endpoint('userinfo_endpoint', config.userinfoEndpoint),
    jwksUri: endpoint('jwks_uri', config.jwksUri),
    algorithms: config.algorithms ?? (said.length > 0 ? said : ['RS256']),
    usesPkce: config.pkce === 'always' || (config.pkce === 'auto' && methods.includes('S256')),
  };
}

function check(config: OidcConfig, metadata: ProviderMetadata): ProviderMetadata {
  const { authorizationEndpoint, tokenEndpoint, userinfoEndpoint, jwksUri } = metadata;
  const needed = { authorizationEndpoint, tokenEndpoint };
  for (const [name, url] of Object.entries(needed)) {
    if (!URL.canParse(url)) throw wrong(`no ${name}`);
  }
  if (config.usesUserinfo && userinfoEndpoint === null) throw wrong('no userinfo endpoint');
  if (!config.isChecked) return metadata;
  if (metadata.issuer !== config.issuer) throw wrong('the issuer is another');
  for (const url of [authorizationEndpoint, tokenEndpoint, userinfoEndpoint, jwksUri]) {
    if (url !== null && !url.startsWith('https://')) throw wrong('an endpoint is not https');
  }
  return metadata;
}

export function createMetadata(config: OidcConfig, http: ProviderHttp, clock: Clock): Metadata {
  async function load(): Promise<ProviderMetadata> {
    if (!config.isDiscovered) return check(config, metadataOf(config, {}));
    const base = config.issuer.replace(/\/+$/, '');
    const found = await http.getJson(`${base}/.well-known/openid-configuration`);
    return check(config, metadataOf(config, found));
  }
  const metadata = remembered(clock, load, { keptMs: hourMs, shortestMs });
  const keys = remembered(
    clock,
    async () => {
      const { jwksUri } = await metadata.get();
      if (jwksUri === null) throw wrong('no jwks_uri');
      const { keys: found } = await http.getJson(jwksUri);
      return (Array.isArray(found) ? found : []).filter(isObject).slice(0, keysMax);
    },
    { keptMs: hourMs, shortestMs },
  );
  return {
    get: () => metadata.get(),
    keys: (isNewer) => (isNewer ? keys.getNewer() : keys.get()),
  };
}
