import type { IncomingHttpHeaders } from 'node:http';

const bearer = 'Bearer ';

/** The raw value of a query parameter, still encoded; null when there is none. `mark` is the place of `?`. */
export function queryValue(url: string, mark: number, name: string): string | null {
  for (let at = mark; at !== -1; at = url.indexOf('&', at + 1)) {
    const begin = at + 1 + name.length;
    if (url.startsWith(name, at + 1) && (url[begin] === '=' || begin === url.length)) {
      const end = url.indexOf('&', begin);
      return url.slice(begin + 1, end === -1 ? undefined : end);
    }
  }
  return null;
}

/** The value as it was meant; what cannot be decoded stays as it is. */
export function decoded(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** The access token of a request, from the header or the query. */
export function tokenOf(url: string, mark: number, headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  if (authorization?.startsWith(bearer)) return authorization.slice(bearer.length).trim();
  const given = mark === -1 ? null : queryValue(url, mark, 'access_token');
  return given === null ? null : decoded(given);
}

const localpartOf = (userId: string) =>
  userId.startsWith('@') ? userId.slice(1).split(':', 1)[0]! : userId;

/**
 * Who sends a request: the localpart in a token `syt_<base64 of localpart>_…`, or that of the
 * `user_id` an application service acts for; a token that does not say is its own key.
 */
export function userKeyOf(url: string, mark: number, token: string | null): string | null {
  if (token?.startsWith('syt_')) {
    const end = token.indexOf('_', 4);
    if (end > 4) return Buffer.from(token.slice(4, end), 'base64').toString();
  }
  const acted = mark === -1 ? null : queryValue(url, mark, 'user_id');
  return acted ? localpartOf(decoded(acted)) : token;
}

/** The server that an `Authorization: X-Matrix origin="…",…` header names (SS, "Request authentication"). */
export function originOf({ authorization }: IncomingHttpHeaders): string | null {
  if (!authorization?.startsWith('X-Matrix')) return null;
  return /[\s,]origin\s*=\s*"?([^",\s]+)/.exec(authorization)?.[1]?.toLowerCase() ?? null;
}
