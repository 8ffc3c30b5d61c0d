import {
  compactVerify,
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  importPKCS8,
  SignJWT,
  type JWK,
} from 'jose';

/** A JSON Web Token (RFC 7519) in its compact form, taken apart. */
export interface Jwt {
  text: string;
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
}

/** A public key (RFC 7517). */
export type Jwk = JWK;

/** Longer tokens are none. */
const tokenLengthMax = 64 * 1024;

/** Whether a signature by it is checked with the secret that both sides have. */
export const isSymmetric = (algorithm: string) => /^HS(?:256|384|512)$/.test(algorithm);

/** Takes a token apart; nothing is checked. Null: it is none. */
export function parseJwt(text: string): Jwt | null {
  if (text.length > tokenLengthMax) return null;
  try {
    const header = decodeProtectedHeader(text);
    // What `crit` names would have to be understood (RFC 7515, 4.1.11).
    return 'crit' in header ? null : { text, header, claims: decodeJwt(text) };
  } catch {
    return null;
  }
}

const isSignedBy = (jwt: Jwt, key: Parameters<typeof compactVerify>[1], allowed: string[]) =>
  compactVerify(jwt.text, key, { algorithms: allowed }).then(
    () => true,
    () => false,
  );

/** Whether the key may have signed the token. */
function isCandidate({ header }: Jwt, { kid, use, alg }: Jwk): boolean {
  const isNamed = header['kid'] === undefined || kid === undefined || header['kid'] === kid;
  return isNamed && (use ?? 'sig') === 'sig' && (alg ?? header['alg']) === header['alg'];
}

/**
 * Whether one of the keys has signed the token, by one of the allowed algorithms. `secret` counts for
 * symmetric ones alone, so that no public key is ever taken for a secret; null: they are refused.
 */
export async function isSigned(
  jwt: Jwt,
  by: { keys: readonly Jwk[]; secret: string | null; allowed: readonly string[] },
): Promise<boolean> {
  const algorithm = String(jwt.header['alg']);
  const allowed = [...by.allowed];
  if (isSymmetric(algorithm)) {
    return by.secret !== null && isSignedBy(jwt, Buffer.from(by.secret), allowed);
  }
  const candidates = by.keys.filter((key) => key.kty !== 'oct' && isCandidate(jwt, key));
  const signed = await Promise.all(
    candidates.map(async (jwk) => {
      const key = await importJWK(jwk, algorithm).catch(() => null);
      return key !== null && isSignedBy(jwt, key, allowed);
    }),
  );
  return signed.includes(true);
}

/** A token signed with a private key (PEM), or a secret. Rejects when the algorithm is not known. */
export async function signJwt(
  header: Readonly<Record<string, string>>,
  claims: Readonly<Record<string, unknown>>,
  key: string,
): Promise<string> {
  const alg = header['alg'] ?? '';
  const imported = isSymmetric(alg) ? Buffer.from(key) : await importPKCS8(key, alg);
  return new SignJWT({ ...claims })
    .setProtectedHeader({ typ: 'JWT', ...header, alg })
    .sign(imported);
}

/** The hash of which `at_hash` has the left half (OpenID Connect Core, 3.1.3.6). */
export function hashOfAlgorithm(name: unknown): string {
  const [, bits = '512'] = /^[A-Z]S(256|384|512)$/.exec(String(name)) ?? [];
  return `sha${bits}`;
}
