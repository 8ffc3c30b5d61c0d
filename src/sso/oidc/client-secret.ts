import type { Clock } from '../../kernel/clock.ts';
import { signJwt } from './jwt.ts';
import type { OidcConfig } from './oidc-config.ts';

const lifetimeMs = 60 * 60 * 1000;

/**
 * The secret of this server at a provider; null: there is none. `client_secret_jwt_key`: a token that
 * is signed anew, as Sign in with Apple wants it.
 */
export async function clientSecretOf(
  config: OidcConfig,
  issuer: string,
  clock: Clock,
): Promise<string | null> {
  const { clientSecret, clientSecretJwt, clientId } = config;
  if (!clientSecretJwt) return clientSecret;
  const nowTs = clock.now();
  const seconds = (ts: number) => Math.floor(ts / 1000);
  const claims = {
    sub: clientId,
    aud: issuer,
    iat: seconds(nowTs),
    exp: seconds(nowTs + lifetimeMs),
    ...clientSecretJwt.payload,
  };
  return signJwt(clientSecretJwt.header, claims, clientSecretJwt.key);
}

/** Names and secrets go form-encoded into the header (RFC 6749, 2.3.1). */
const formEncoded = (text: string) => new URLSearchParams([['', text]]).toString().slice(1);

/** Adds how this server proves who it is to a request; gives its headers. */
export function authenticate(
  form: URLSearchParams,
  { clientAuthMethod, clientId }: OidcConfig,
  secret: string | null,
): Record<string, string> {
  if (clientAuthMethod === 'client_secret_basic' && secret !== null) {
    const pair = `${formEncoded(clientId)}:${formEncoded(secret)}`;
    return { Authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
  }
  form.set('client_id', clientId);
  if (clientAuthMethod === 'client_secret_post' && secret !== null) {
    form.set('client_secret', secret);
  }
  return {};
}
