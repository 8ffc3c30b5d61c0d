import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { randomLetters } from '../../kernel/random.ts';
import type { TokenLimits } from '../registration-tokens.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const path = '/_synapse/admin/v1/registration_tokens';
const shared = {
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  source: 'Synapse admin API, "Registration Tokens"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
} as const;

const lengthDefault = 16;
const lengthMax = 64;
const usesMax = 2 ** 31 - 1;

const invalid = (message: string) => new MatrixError('M_INVALID_PARAM', message);
const isCount = (value: unknown, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;

/** What is named of the limits; Throws M_INVALID_PARAM. */
function limitsIn(body: Record<string, unknown>, nowTs: number): Partial<TokenLimits> {
  const limits: Partial<TokenLimits> = {};
  const { uses_allowed: uses, expiry_time: expiryTs } = body;
  if (uses !== undefined) {
    if (uses !== null && !isCount(uses, usesMax)) {
      throw invalid('uses_allowed must be a non-negative integer or null');
    }
    limits.usesAllowed = uses;
  }
  if (expiryTs !== undefined) {
    if (expiryTs !== null && !isCount(expiryTs, Number.MAX_SAFE_INTEGER)) {
      throw invalid('expiry_time must be an integer or null');
    }
    if (expiryTs !== null && expiryTs < nowTs) {
      throw invalid('expiry_time must not be in the past');
    }
    limits.expiryTs = expiryTs;
  }
  return limits;
}

function tokenIn({ token, length = lengthDefault }: Record<string, unknown>): string {
  if (token === undefined) {
    if (!isCount(length, lengthMax) || length === 0) {
      throw invalid(`length must be greater than zero and not greater than ${lengthMax}`);
    }
    return randomLetters(length);
  }
  if (typeof token !== 'string') throw invalid('token must be a string');
  if (!/^[A-Za-z0-9._~-]{1,64}$/.test(token)) {
    throw invalid('token must consist of 1 to 64 characters of A-Z, a-z, 0-9, ".", "_", "~", "-"');
  }
  return token;
}

const notFound = (token: string) =>
  new MatrixError('M_NOT_FOUND', `No such registration token: ${token}`);

const list = declare({
  ...shared,
  operation: 'adminListRegistrationTokens',
  method: 'GET',
  paths: [path],
  summary: 'The tokens by which people register',
  query: Type.Object({ valid: Type.Optional(Type.Boolean()) }),
  async handle({ query }, { registrationTokens }) {
    return { registration_tokens: await registrationTokens.list(query.valid ?? null) };
  },
});

const create = declare({
  ...shared,
  operation: 'adminCreateRegistrationToken',
  method: 'POST',
  paths: [`${path}/new`],
  summary: 'Makes a token by which people register',
  body: Type.Record(Type.String(), Type.Any()),
  async handle({ body }, { registrationTokens, clock }) {
    const token = tokenIn(body);
    const { usesAllowed = null, expiryTs = null } = limitsIn(body, clock.now());
    const made = await registrationTokens.create(token, { usesAllowed, expiryTs });
    if (!made) throw invalid(`Token already exists: ${token}`);
    return made;
  },
});

const get = declare({
  ...shared,
  operation: 'adminGetRegistrationToken',
  method: 'GET',
  paths: [`${path}/:token`],
  summary: 'One token by which people register',
  async handle({ params }, { registrationTokens }) {
    const found = await registrationTokens.get(params['token']!);
    if (!found) throw notFound(params['token']!);
    return found;
  },
});

const update = declare({
  ...shared,
  operation: 'adminUpdateRegistrationToken',
  method: 'PUT',
  paths: [`${path}/:token`],
  summary: 'Sets how often and until when a token is good',
  body: Type.Record(Type.String(), Type.Any()),
  async handle({ params, body }, { registrationTokens, clock }) {
    const limits = limitsIn(body, clock.now());
    const updated = await registrationTokens.update(params['token']!, limits);
    if (!updated) throw notFound(params['token']!);
    return updated;
  },
});

const remove = declare({
  ...shared,
  operation: 'adminDeleteRegistrationToken',
  method: 'DELETE',
  paths: [`${path}/:token`],
  summary: 'Removes a token',
  bodyMode: 'optional',
  async handle({ params }, { registrationTokens }) {
    if (!(await registrationTokens.delete(params['token']!))) throw notFound(params['token']!);
    return {};
  },
});

export const adminTokenEndpoints = [list, create, get, update, remove];
