import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { AccountsConfig } from './config.ts';
import { userIdBytesMax } from './user-ids.ts';

/** Longer input is refused before anything looks at it. */
const usernameLengthMax = 512;

const plain = /^[a-z0-9._=\-/+]+$/;
/** Bridges rely on localparts with characters that people may no longer choose. */
const historical = /^[!-9;-~]+$/;

/** Who wants a username: anybody, an application service, or an admin. */
export interface UsernameClaim {
  appserviceId?: string;
}

/**
 * The user id for a wanted username. Throws M_INVALID_USERNAME, M_EXCLUSIVE. Source: appendices,
 * "User identifiers".
 */
export function userIdFor(
  username: string,
  config: AccountsConfig,
  appservices: AppserviceRegistrations,
  claim: UsernameClaim = {},
): string {
  const refuse = (message: string): never => {
    throw new MatrixError('M_INVALID_USERNAME', message);
  };
  if (username === '') refuse('User ID cannot be empty');
  const allowed = claim.appserviceId === undefined ? plain : historical;
  if (username.length > usernameLengthMax || !allowed.test(username)) {
    refuse("User ID can only contain characters a-z, 0-9, or '=_-./+'");
  }
  const userId = `@${username}:${config.serverName}`;
  if (Buffer.byteLength(userId) > userIdBytesMax) {
    refuse(`User ID may not be longer than ${userIdBytesMax} characters`);
  }
  if (claim.appserviceId !== undefined) return userId;
  if (username.startsWith('_') && !config.registration.allowUnderscorePrefix) {
    refuse('User ID may not begin with _');
  }
  if (/^[0-9]+$/.test(username)) {
    refuse('Numeric user IDs are reserved for guest users.');
  }
  if (appservices.exclusiveFor(userId)) {
    throw new MatrixError('M_EXCLUSIVE', 'This user ID is reserved by an application service.');
  }
  return userId;
}
