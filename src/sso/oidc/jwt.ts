import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from 'node:crypto';

/** JSON Web Tokens (RFC 7519) in their compact form (RFC 7515), signed with what RFC 7518 names. */
export interface Jwt {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
  /** What is signed. */
  signed: Buffer;
  signature: Buffer;
}

/** A public key (RFC 7517). */
export type Jwk = Readonly<Record<string, unknown>>;

interface Algorithm {
  hash: string | null;
  keyType: 'rsa' | 'ec' | 'ed25519' | 'secret';
  isPss?: boolean;
  curve?: string;
}

const algorithms: Readonly<Record<string, Algorithm>> = {
  RS256: { hash: 'sha256', keyType: 'rsa' },
  RS384: { hash: 'sha384', keyType: 'rsa' },
  RS512: { hash: 'sha512', keyType: 'rsa' },
  PS256: { hash: 'sha256', keyType: 'rsa', isPss: true },
  PS384: { hash: 'sha384', keyType: 'rsa', isPss: true },
  PS512: { hash: 'sha512', keyType: 'rsa', isPss: true },
  ES256: { hash: 'sha256', keyType: 'ec', curve: 'prime256v1' },
  ES384: { hash: 'sha384', keyType: 'ec', curve: 'secp384r1' },
  ES512: { hash: 'sha512', keyType: 'ec', curve: 'secp521r1' },
  EdDSA: { hash: null, keyType: 'ed25519' },
  Ed25519: { hash: null, keyType: 'ed25519' },
  HS256: { hash: 'sha256', keyType: 'secret' },
  HS384: { hash: 'sha384', keyType: 'secret' },
  HS512: { hash: 'sha512', keyType: 'secret' },
};

/** Longer tokens are none. */
const tokenLengthMax = 64 * 1024;
/** Shorter keys are broken (RFC 7518, 3.3). */
const rsaBitsMin = 2048;

const algorithmOf = (name: unknown): Algorithm | null =>
  typeof name === 'string' && Object.hasOwn(algorithms, name) ? algorithms[name]! : null;

/** Whether a signature by it is checked with the secret that both sides have. */
export const isSymmetric = (name: string) => algorithmOf(name)?.keyType === 'secret';

function objectIn(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Takes a token apart; nothing is checked. Null: it is none. */
export function parseJwt(token: string): Jwt | null {
  const parts = token.length <= tokenLengthMax ? token.split('.') : [];
  const [head = '', body = '', end = ''] = parts;
  if (parts.length !== 3 || !parts.every((part) => /^[\w-]*$/.test(part))) return null;
  const [header, claims] = [objectIn(head), objectIn(body)];
  // What `crit` names would have to be understood (RFC 7515, 4.1.11).
  if (!header || !claims || 'crit' in header) return null;
  return {
    header,
    claims,
    signed: Buffer.from(`${head}.${body}`),
    signature: Buffer.from(end, 'base64url'),
  };
}

function keyFor(jwk: Jwk, algorithm: Algorithm): KeyObject | null {
  const { use, alg } = jwk;
  if (use !== undefined && use !== 'sig') return null;
  if (alg !== undefined && algorithmOf(alg) !== algorithm) return null;
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
    const fits =
      key.asymmetricKeyType === algorithm.keyType &&
      (algorithm.keyType !== 'rsa' || modulusLength >= rsaBitsMin) &&
      (algorithm.curve === undefined || namedCurve === algorithm.curve);
    return fits ? key : null;
  } catch {
    return null;
  }
}

const signingOptions = (algorithm: Algorithm, key: KeyObject) => ({
  key,
  // Signatures of ECDSA are two numbers one after the other (RFC 7518, 3.4).
  dsaEncoding: 'ieee-p1363' as const,
  ...(algorithm.isPss
    ? {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      }
    : {}),
});

function isSignedBySecret(jwt: Jwt, hash: string, secret: string): boolean {
  const expected = createHmac(hash, secret).update(jwt.signed).digest();
  return expected.length === jwt.signature.length && timingSafeEqual(expected, jwt.signature);
}

/**
 * Whether one of the keys has signed the token, by one of the allowed algorithms. `secret` counts for
 * symmetric ones alone, so that no public key is ever taken for a secret; null: they are refused.
 */
export function isSigned(
  jwt: Jwt,
  by: { keys: readonly Jwk[]; secret: string | null; allowed: readonly string[] },
): boolean {
  const { alg, kid } = jwt.header;
  const algorithm = algorithmOf(alg);
  if (!algorithm || !by.allowed.includes(alg as string)) return false;
  if (algorithm.keyType === 'secret') {
    return by.secret !== null && isSignedBySecret(jwt, algorithm.hash!, by.secret);
  }
  return by.keys
    .filter((key) => kid === undefined || key['kid'] === undefined || key['kid'] === kid)
    .map((jwk) => keyFor(jwk, algorithm))
    .some(
      (key) =>
        key !== null &&
        verify(algorithm.hash, jwt.signed, signingOptions(algorithm, key), jwt.signature),
    );
}

/** A token signed with a private key (PEM), or a secret. Throws when the algorithm is not known. */
export function signJwt(
  header: Readonly<Record<string, string>>,
  claims: Readonly<Record<string, unknown>>,
  key: string,
): string {
  const algorithm = algorithmOf(header['alg']);
  if (!algorithm) throw new Error(`the algorithm ${header['alg']} is not known`);
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encoded({ typ: 'JWT', ...header })}.${encoded(claims)}`;
  const signature =
    algorithm.keyType === 'secret'
      ? createHmac(algorithm.hash!, key).update(signed).digest()
      : sign(algorithm.hash, Buffer.from(signed), signingOptions(algorithm, createPrivateKey(key)));
  return `${signed}.${signature.toString('base64url')}`;
}

/** The hash of which `at_hash` has the left half (OpenID Connect Core, 3.1.3.6); null: unknown. */
export function hashOfAlgorithm(name: unknown): string | null {
  const algorithm = algorithmOf(name);
  return algorithm && (algorithm.hash ?? 'sha512');
}
