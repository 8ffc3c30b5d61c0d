import { createHash } from 'node:crypto';
import { isStorable } from '../checked-user.ts';
import { SsoError } from '../sso-error.ts';
import { hashOfAlgorithm, type Jwt } from './jwt.ts';

/** How far clocks may be apart. */
const leewayMs = 2 * 60 * 1000;

export interface ExpectedClaims {
  issuer: string;
  clientId: string;
  nowTs: number;
  /** Whether the token says when it ends. */
  mustExpire: boolean;
}

const refuse = (what: string): never => {
  throw new SsoError('invalid_token', `The token of the identity provider is refused: ${what}`);
};

const timeOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value * 1000 : null;

/** What every token has to say (OpenID Connect Core, 3.1.3.7). Throws SsoError. */
export function checkClaims({ claims }: Jwt, expected: ExpectedClaims): void {
  const { issuer, clientId, nowTs, mustExpire } = expected;
  if (claims['iss'] !== issuer) refuse('iss is another');
  const audience: unknown[] = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']];
  if (!audience.includes(clientId)) refuse('aud is another');
  const { azp } = claims;
  if (azp !== undefined && azp !== clientId) refuse('azp is another');
  if (audience.length > 1 && azp === undefined) refuse('azp is missing');
  const [exp, iat, nbf] = [timeOf(claims['exp']), timeOf(claims['iat']), timeOf(claims['nbf'])];
  if (exp === null ? mustExpire || claims['exp'] !== undefined : exp < nowTs - leewayMs) {
    refuse('it has expired');
  }
  if (iat === null || iat > nowTs + leewayMs) refuse('iat is not in the past');
  if (nbf !== null && nbf > nowTs + leewayMs) refuse('it is not valid yet');
}

/** What an ID token has to say besides: it answers this request, and goes with the access token. */
export function checkIdToken(jwt: Jwt, nonce: string, accessToken: string | null): void {
  const { nonce: given, at_hash: accessHash, sub } = jwt.claims;
  if (typeof sub !== 'string' || sub === '') refuse('sub is missing');
  if (given !== nonce) refuse('nonce is another');
  if (accessHash === undefined || accessToken === null) return;
  const digest = createHash(hashOfAlgorithm(jwt.header['alg'])).update(accessToken).digest();
  const expected = digest.subarray(0, digest.length / 2).toString('base64url');
  if (accessHash !== expected) refuse('at_hash is another');
}

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';

/** What a logout token has to say (OpenID Connect Back-Channel Logout 1.0, 2.6). Throws SsoError. */
export function checkLogoutToken({ claims }: Jwt): { sessionId: string; subject: string | null } {
  const { events, nonce, sid, sub } = claims;
  const isEvent = typeof events === 'object' && events !== null && logoutEvent in events;
  if (!isEvent) refuse('events is missing');
  if (nonce !== undefined) refuse('it has a nonce');
  if (typeof sid !== 'string' || !isStorable(sid)) return refuse('sid is missing');
  if (typeof sub === 'string' && !isStorable(sub)) refuse('sub is none');
  return { sessionId: sid, subject: typeof sub === 'string' ? sub : null };
}
