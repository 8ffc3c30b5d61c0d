import { randomBytes } from 'node:crypto';
import type { RequestInfo } from '../http/endpoint.ts';

/** The cookie that makes a browser the one that has begun. */
const browserCookie = 'sso_browser';
/** The session of a new user; Synapse's name. */
const newUserCookie = 'username_mapping_session';

const browserKey = /^[\w-]{43}$/;
const sessionKey = /^[A-Za-z]{1,64}$/;

/** The value of a cookie; null: there is none of the form. */
function cookieOf(request: RequestInfo, name: string, form: RegExp): string | null {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim());
  const pair = pairs.find((one) => one.startsWith(`${name}=`));
  const value = pair?.slice(name.length + 1) ?? '';
  return form.test(value) ? value : null;
}

/** Cookies by which a browser is known. */
export interface Cookies {
  /** The browser's secret; null: it has none. */
  browserOf(request: RequestInfo): string | null;
  /** The browser's secret, a new one if need be, and the `Set-Cookie` header that keeps it. */
  beginBrowser(request: RequestInfo, keptMs: number): { secret: string; header: string };
  newUserOf(request: RequestInfo): string | null;
  /** `Set-Cookie`; null: the cookie goes. */
  newUser(sessionId: string | null): string;
}

/**
 * `isSecure`: browsers come by https. Then providers may send them back with a form, for which the
 * cookie has to be `SameSite=None`, and that browsers take with `Secure` only.
 */
export function createCookies(isSecure: boolean): Cookies {
  const anySite = isSecure ? 'Secure; SameSite=None' : 'SameSite=Lax';
  const sameSite = isSecure ? 'Secure; SameSite=Lax' : 'SameSite=Lax';
  const browserOf = (request: RequestInfo) => cookieOf(request, browserCookie, browserKey);
  return {
    browserOf,
    beginBrowser(request, keptMs) {
      // Several tabs may be signing in at once.
      const secret = browserOf(request) ?? randomBytes(32).toString('base64url');
      const age = `Max-Age=${Math.floor(keptMs / 1000)}`;
      return {
        secret,
        header: `${browserCookie}=${secret}; Path=/; ${age}; HttpOnly; ${anySite}`,
      };
    },
    newUserOf: (request) => cookieOf(request, newUserCookie, sessionKey),
    newUser(sessionId) {
      const end = sessionId === null ? '; Max-Age=0' : '';
      return `${newUserCookie}=${sessionId ?? ''}; Path=/_synapse/client${end}; HttpOnly; ${sameSite}`;
    },
  };
}
