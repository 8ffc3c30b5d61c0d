import type { AuthenticateServer } from '../http/dispatcher.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Clock } from '../kernel/clock.ts';
import { isServerName } from '../matrix/ids.ts';
import {
  isSignedRequest,
  parseRequestAuthorization,
  type RequestSignature,
} from '../matrix/request-signing.ts';
import type { KeyRing } from '../server-keys/module.ts';

export interface AuthenticateServerNeeds {
  serverName: string;
  /** Servers that may be talked to; null: all. */
  allowedServers: readonly string[] | null;
  keyRing: Pick<KeyRing, 'find'>;
  clock: Clock;
}

const unauthorized = (message: string) => new MatrixError('M_UNAUTHORIZED', message);

/** Finds out which server has signed a request (server-server spec, "Request Authentication"). */
export function createServerAuthenticator(needs: AuthenticateServerNeeds): AuthenticateServer {
  const { serverName, keyRing, clock } = needs;
  const allowed = needs.allowedServers === null ? null : new Set(needs.allowedServers);

  function check({ origin, destination, keyId }: RequestSignature): void {
    if (!isServerName(origin)) throw unauthorized('The origin is not a server name');
    if (destination !== null && destination !== serverName) {
      throw unauthorized(`The request is for another server than ${serverName}`);
    }
    if (!keyId.startsWith('ed25519:')) throw unauthorized('The key is of no known kind');
    if (allowed && origin !== serverName && !allowed.has(origin)) {
      throw new MatrixError('M_FORBIDDEN', 'This server does not federate with yours');
    }
  }

  return async function authenticateServer({ authorization, method, uri, content }) {
    const given = authorization === undefined ? null : parseRequestAuthorization(authorization);
    if (!given) throw unauthorized('The request needs a signature: Authorization: X-Matrix …');
    check(given);
    const { origin, keyId } = given;
    const now = clock.now();
    const key = await keyRing.find(origin, keyId, now);
    if (!key || key.validUntilTs < now) {
      throw unauthorized(`There is no key ${keyId} of ${origin} that is valid`);
    }
    const signed = { method, uri, destination: serverName };
    const request = content === undefined ? signed : { ...signed, content };
    if (!isSignedRequest(request, given, key.publicKey)) {
      throw unauthorized(`The signature is not that of the key ${keyId} of ${origin}`);
    }
    return origin;
  };
}
