import { LRUCache } from 'lru-cache';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { backOffForClients, createBackOff } from './back-off.ts';
import { FederationError } from './errors.ts';
import type { FederationClient } from './federation-client.ts';

/** A question to another server that has no effect there. */
export interface Question {
  /** Path and query, `/_matrix/…`. */
  uri: string;
  /** Makes it a POST. */
  content?: JsonObject;
  /** How long the answer is remembered; 0: not. */
  keptMs: number;
  /** As in FederationRequest. */
  bytesMax?: number;
}

/** Questions to other servers whose answers clients wait for. */
export interface Questions {
  /**
   * Gives the object that the server answers; others may have it too, so it is not to be changed. Who
   * asks the same meanwhile waits for the same answer. Throws FederationError.
   */
  ask(destination: string, question: Question): Promise<JsonObject>;
}

/** Somebody waits, and tries again rather than wait for long. */
const answerMsMax = 15_000;
/** Characters of all answers that are remembered. */
const cachedLengthMax = 16 * 1024 * 1024;

interface Known {
  answer: JsonObject;
  untilTs: number;
}

export function createQuestions(
  federation: Pick<FederationClient, 'request'>,
  clock: Clock,
): Questions {
  const backOff = createBackOff(backOffForClients, clock);
  const known = new LRUCache<string, Known>({ maxSize: cachedLengthMax });
  const asking = new Map<string, Promise<JsonObject>>();

  async function send(destination: string, question: Question, key: string): Promise<JsonObject> {
    const { uri, content, bytesMax, keptMs } = question;
    const answer = await federation.request(destination, {
      uri,
      method: content === undefined ? 'GET' : 'POST',
      ...(content === undefined ? {} : { content }),
      ...(bytesMax === undefined ? {} : { bytesMax }),
      timeoutMs: answerMsMax,
      backOff,
    });
    if (keptMs > 0) {
      const size = key.length + JSON.stringify(answer).length;
      known.set(key, { answer, untilTs: clock.now() + keptMs }, { size });
    }
    return answer;
  }

  return {
    async ask(destination, question) {
      const { uri, content } = question;
      const key = JSON.stringify([destination, uri, content]);
      const found = known.get(key);
      if (found && found.untilTs > clock.now()) return found.answer;
      let answer = asking.get(key);
      if (!answer) {
        answer = send(destination, question, key).finally(() => asking.delete(key));
        asking.set(key, answer);
      }
      return answer;
    },
  };
}

const messageIn = (body: JsonObject | null | undefined): string | null => {
  const message = body?.['error'];
  return typeof message === 'string' ? message : null;
};

/**
 * What a client is told whose question another server did not answer: M_FORBIDDEN where it may not be
 * asked, its own refusal for the statuses in `passedOn`, else M_UNKNOWN with 502. What is no
 * FederationError stays as it is. `what` was asked for, to begin a sentence with.
 */
export function toldToClient(
  error: unknown,
  what: string,
  passedOn: readonly (403 | 404)[],
): unknown {
  if (!(error instanceof FederationError)) return error;
  const { reason, destination, answer } = error;
  if (reason === 'denied') {
    return new MatrixError('M_FORBIDDEN', `This server does not federate with ${destination}`);
  }
  const status = passedOn.find((one) => one === answer?.status);
  if (status !== undefined) {
    const code = status === 404 ? 'M_NOT_FOUND' : 'M_FORBIDDEN';
    return new MatrixError(code, messageIn(answer?.body) ?? `${what} was refused`);
  }
  const message = `${what} could not be fetched from ${destination}`;
  return new MatrixError('M_UNKNOWN', message, { status: 502, cause: error });
}
