import { FederationError } from '../federation-client/errors.ts';
import { errorStatus, MatrixError, type ErrorCode } from '../kernel/errors.ts';

/** Another server may know what this one does not, or may let in where this one cannot. */
const worthAnother = new Set([
  'M_NOT_FOUND',
  'M_UNABLE_TO_AUTHORISE_JOIN',
  'M_UNABLE_TO_GRANT_JOIN',
  'M_UNRECOGNIZED',
  'M_LIMIT_EXCEEDED',
]);
/** Faults of this server or of its answer, not of what the user wishes: told as a failure. */
const ofServers = new Set(['M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_UNAUTHORIZED', 'M_BAD_JSON']);

/** What another server answers that breaks the rules. */
export class BadAnswer extends Error {
  constructor(serverName: string, message: string) {
    super(`${serverName}: ${message}`);
    this.name = 'BadAnswer';
  }
}

/** The refusal of another server as the user is told it; null: it says nothing about the wish. */
export function refusalOf(error: FederationError): MatrixError | null {
  const { answer } = error;
  if (answer === null || answer.status < 400 || answer.status >= 500) return null;
  const { errcode, error: message, room_version: version } = answer.body ?? {};
  if (typeof errcode !== 'string' || !Object.hasOwn(errorStatus, errcode)) return null;
  if (ofServers.has(errcode)) return null;
  return new MatrixError(errcode as ErrorCode, typeof message === 'string' ? message : errcode, {
    status: answer.status,
    cause: error,
    ...(typeof version === 'string' ? { extra: { room_version: version } } : {}),
  });
}

const isTheirs = (error: unknown): error is FederationError | BadAnswer =>
  error instanceof FederationError || error instanceof BadAnswer;

/**
 * Tries servers one after the other until one does what is asked. Throws the refusal of a server that
 * says what is wrong with the wish itself; else, when all have failed, the last such refusal, or 502
 * M_UNKNOWN. `servers` may be empty: M_NOT_FOUND.
 */
export async function tryServers<T>(
  servers: readonly string[],
  wish: string,
  attempt: (serverName: string) => Promise<T>,
): Promise<T> {
  if (servers.length === 0) {
    throw new MatrixError('M_NOT_FOUND', `Can't ${wish}: no server is known that is in the room`);
  }
  let refusal: MatrixError | null = null;
  let failure: unknown;
  for (const serverName of servers) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the next only when one cannot
      return await attempt(serverName);
    } catch (error) {
      if (!isTheirs(error)) throw error;
      failure = error;
      const said = error instanceof FederationError ? refusalOf(error) : null;
      if (said && !worthAnother.has(said.code)) throw said;
      refusal = said ?? refusal;
    }
  }
  if (refusal) throw refusal;
  const message = `Failed to ${wish} via any server`;
  throw new MatrixError('M_UNKNOWN', message, { status: 502, cause: failure });
}
