import { MatrixError } from '../kernel/errors.ts';

/** RFC 3696 says 254; mail servers take more. */
const emailLengthMax = 500;

/** A mail address in its canonical form (MSC2265). Throws M_INVALID_PARAM. */
export function canonicalEmail(address: string): string {
  const trimmed = address.trim();
  const parts = trimmed.split('@');
  const isSane =
    parts.length === 2 &&
    parts.every((part) => part !== '') &&
    !/[\s<>,;"\p{Cc}\p{Cf}\p{Cs}]/u.test(trimmed);
  if (!isSane || trimmed.length > emailLengthMax) {
    throw new MatrixError('M_INVALID_PARAM', 'This is not an email address');
  }
  return trimmed.toLowerCase();
}

/** CS 1.19: what clients may use as their secret. Throws M_INVALID_PARAM. */
export function checkClientSecret(secret: string): void {
  if (!/^[0-9a-zA-Z.=_-]{1,255}$/.test(secret)) {
    throw new MatrixError('M_INVALID_PARAM', 'Invalid client_secret parameter');
  }
}

const forbiddenSchemes = new Set(['file:', 'javascript:', 'data:', 'vbscript:', 'blob:']);

/**
 * A link as it can stand in a header. Throws M_INVALID_PARAM when people must not be led there.
 * `domains` null: anywhere is fine.
 */
export function checkedNextLink(link: string, domains: readonly string[] | null): string {
  const url = URL.canParse(link) ? new URL(link) : null;
  const isAllowed =
    url !== null &&
    !forbiddenSchemes.has(url.protocol) &&
    (domains === null || domains.includes(url.hostname));
  if (!isAllowed) {
    throw new MatrixError('M_INVALID_PARAM', "'next_link' domain not included in whitelist");
  }
  return /^[\x21-\x7e]+$/.test(link) ? link : url.href;
}
