import { createHash, randomBytes } from 'node:crypto';
import { jsonAnswer } from '../../http/json-client.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { IdentityProvider, RemoteUser } from '../identity-provider.ts';
import { SsoError } from '../sso-error.ts';
import { checkClaims, checkIdToken, checkLogoutToken } from './claims.ts';
import { authenticate, clientSecretOf } from './client-secret.ts';
import { isSigned, isSymmetric, parseJwt, type Jwt } from './jwt.ts';
import { createMapping } from './mapping.ts';
import { createMetadata, type ProviderMetadata } from './metadata.ts';
import type { OidcConfig } from './oidc-config.ts';
import type { ProviderHttp } from '../provider-http.ts';

/** A provider that speaks OpenID Connect (Core 1.0), by the authorization code flow. */
export interface OidcProvider extends IdentityProvider {
  config: OidcConfig;
  /** The user whom a code stands for. Rejects with SsoError. */
  userOf(code: string, kept: Readonly<Record<string, string>>): Promise<RemoteUser>;
  /** The issuer as it is in tokens. */
  issuer(): Promise<string>;
  /** The session that a logout token ends. Rejects with SsoError. */
  loggedOut(token: Jwt): Promise<{ sessionId: string; subject: string | null }>;
}

export interface OidcProviderNeeds {
  http: ProviderHttp;
  clock: Clock;
  log: Log;
  /** Where browsers come back to. */
  callbackUrl: string;
}

/** The answer of the token endpoint, as far as it is used. */
interface Tokens {
  accessToken: string | null;
  idToken: string | null;
}

const random = () => randomBytes(32).toString('base64url');

/** Members of answers are shown to people; they need not be long. */
const shownMax = 300;
const shown = (value: unknown) => (typeof value === 'string' ? value.slice(0, shownMax) : '');

const invalid = (text: string) => new SsoError('invalid_token', text);

export function createOidcProvider(config: OidcConfig, needs: OidcProviderNeeds): OidcProvider {
  const { http, clock } = needs;
  const metadata = createMetadata(config, http, clock);
  const map = createMapping(config, needs.log);
  const redirectUri = config.redirectUri ?? needs.callbackUrl;

  async function exchange(
    code: string,
    verifier: string | undefined,
    { tokenEndpoint, issuer }: ProviderMetadata,
  ): Promise<Tokens> {
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      ...(verifier === undefined ? {} : { code_verifier: verifier }),
    });
    const headers = authenticate(form, config, await clientSecretOf(config, issuer, clock));
    const answer = await http.postForm(tokenEndpoint, form, headers);
    const { status, body } = jsonAnswer(answer.status, answer.body.toString('utf8'));
    if (body && 'error' in body) {
      throw new SsoError(shown(body['error']), shown(body['error_description']));
    }
    if (status < 200 || status >= 300 || !body) {
      throw new SsoError('server_error', `The identity provider gives no token (${status})`, 502);
    }
    const [accessToken, idToken] = [body['access_token'], body['id_token']];
    return {
      accessToken: typeof accessToken === 'string' ? accessToken : null,
      idToken: typeof idToken === 'string' ? idToken : null,
    };
  }

  /** Rejects with SsoError unless one of the provider's keys has signed it. */
  async function checkSignature(jwt: Jwt, allowed: readonly string[]): Promise<void> {
    const secret = config.clientSecret;
    const bySecret = isSymmetric(String(jwt.header['alg']));
    const keys = bySecret ? [] : await metadata.keys(false);
    if (await isSigned(jwt, { keys, secret, allowed })) return;
    const newer = bySecret ? keys : await metadata.keys(true);
    if (newer !== keys && (await isSigned(jwt, { keys: newer, secret, allowed }))) return;
    throw invalid('The signature of the identity provider is wrong');
  }

  async function verified(token: string, known: ProviderMetadata): Promise<Jwt> {
    const jwt = parseJwt(token);
    if (!jwt) throw invalid('The identity provider has sent no token');
    await checkSignature(jwt, known.algorithms);
    return jwt;
  }

  const expected = ({ issuer }: ProviderMetadata, mustExpire: boolean) => ({
    issuer,
    clientId: config.clientId,
    nowTs: clock.now(),
    mustExpire,
  });

  /** Claims of the endpoint that needs the access token; plain, or signed. */
  async function userinfo(tokens: Tokens, known: ProviderMetadata) {
    if (tokens.accessToken === null || known.userinfoEndpoint === null) {
      throw invalid('The identity provider has sent no access token');
    }
    const answer = await http.get(known.userinfoEndpoint, {
      Authorization: `Bearer ${tokens.accessToken}`,
    });
    const text = answer.body.toString('utf8');
    if (/^application\/jwt\b/i.test(answer.headers['content-type'] ?? '')) {
      return (await verified(text, known)).claims;
    }
    const { body } = jsonAnswer(answer.status, text);
    if (!body) throw new SsoError('fetch_error', 'The identity provider says nothing of you', 502);
    return body;
  }

  return {
    config,
    id: config.id,
    name: config.name,
    icon: config.icon,
    brand: config.brand,
    requirements: config.requirements,
    registersUsers: config.registersUsers,
    adoptsExistingUsers: config.adoptsExistingUsers,
    async depart(state, query) {
      const { authorizationEndpoint, usesPkce } = await metadata.get();
      const nonce = random();
      const verifier = usesPkce ? random() : null;
      const url = new URL(authorizationEndpoint);
      const passed = config.passedThrough.flatMap((name) =>
        query[name] === undefined ? [] : [[name, query[name]] as const],
      );
      const parameters = {
        ...config.parameters,
        ...Object.fromEntries(passed),
        ...(verifier === null
          ? {}
          : {
              code_challenge_method: 'S256',
              code_challenge: createHash('sha256').update(verifier).digest('base64url'),
            }),
        response_type: 'code',
        client_id: config.clientId,
        redirect_uri: redirectUri,
        scope: config.scopes.join(' '),
        state,
        nonce,
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return { url: url.href, kept: { nonce, ...(verifier === null ? {} : { verifier }) } };
    },
    async userOf(code, kept) {
      const known = await metadata.get();
      const tokens = await exchange(code, kept['verifier'], known);
      let idClaims: Jwt['claims'] | null = null;
      if (tokens.idToken !== null) {
        const jwt = await verified(tokens.idToken, known);
        checkClaims(jwt, expected(known, true));
        checkIdToken(jwt, kept['nonce'] ?? '', tokens.accessToken);
        idClaims = jwt.claims;
      }
      const claims = config.usesUserinfo ? await userinfo(tokens, known) : idClaims;
      if (!claims) throw invalid('The identity provider has sent no ID token');
      // Tokens of one user with claims of another (OpenID Connect Core, 5.3.2).
      if (idClaims && claims['sub'] !== idClaims['sub'])
        throw invalid('The users are not the same');
      const sid = idClaims?.['sid'];
      return map(claims, typeof sid === 'string' ? sid : null);
    },
    issuer: async () => (await metadata.get()).issuer,
    async loggedOut(jwt) {
      const known = await metadata.get();
      await checkSignature(jwt, known.algorithms);
      checkClaims(jwt, expected(known, false));
      return checkLogoutToken(jwt);
    },
  };
}
