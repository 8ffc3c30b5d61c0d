import { noBackOff } from '../federation-client/back-off.ts';
import { answerOf } from '../federation-client/answers.ts';
import type {
  FederationClient,
  FederationRequest,
} from '../federation-client/federation-client.ts';
import type { Clock } from '../kernel/clock.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { readPublishedKeys, type PublishedKeys } from '../matrix/server-keys.ts';
import { verifySignedJson } from '../matrix/signing.ts';
import type { TrustedKeyServer } from './config.ts';

/** Keys, and the answer they came in, JSON text. */
export interface FetchedKeys extends PublishedKeys {
  answer: string;
}

export interface FetchNeeds {
  federation: Pick<FederationClient, 'request'>;
  clock: Clock;
  trusted: readonly TrustedKeyServer[];
}

/** Others' requests and events wait for it. */
const timeoutMs = 10_000;
const answerBytesMax = 256 * 1024;

function readFetched(answer: unknown, serverName: string, nowTs: number): FetchedKeys | null {
  if (typeof answer !== 'object' || answer === null) return null;
  const read = readPublishedKeys(answer as JsonObject, serverName, nowTs);
  return typeof read === 'string' ? null : { ...read, answer: JSON.stringify(answer) };
}

const isSignedBy = (answer: unknown, { serverName, keys }: TrustedKeyServer): boolean =>
  keys === null ||
  [...keys].some(([id, publicKey]) =>
    verifySignedJson(answer as JsonObject, serverName, { id, publicKey }),
  );

/**
 * Fetches the keys of a server: from itself, or from the trusted servers one after the other when it
 * cannot be asked. Null: they are not to be had. Source: server-server spec, "Retrieving server keys".
 */
export function createKeyFetcher({ federation, clock, trusted }: FetchNeeds) {
  const ask = (
    destination: string,
    request: Pick<FederationRequest, 'method' | 'uri' | 'content' | 'backOff'>,
  ) => answerOf(federation, destination, { ...request, timeoutMs, bytesMax: answerBytesMax });

  async function fromNotary(
    notary: TrustedKeyServer,
    serverName: string,
    keyId: string,
  ): Promise<FetchedKeys | null> {
    const wanted = { [keyId]: { minimum_valid_until_ts: clock.now() } };
    const answer = await ask(notary.serverName, {
      method: 'POST',
      uri: '/_matrix/key/v2/query',
      content: { server_keys: { [serverName]: wanted } },
    });
    const given: unknown = answer?.['server_keys'];
    if (!Array.isArray(given)) return null;
    for (const each of given) {
      const fetched = readFetched(each, serverName, clock.now());
      if (fetched && isSignedBy(each, notary)) return fetched;
    }
    return null;
  }

  return async function fetchKeys(serverName: string, keyId: string): Promise<FetchedKeys | null> {
    const uri = '/_matrix/key/v2/server';
    // It may have been away, and be back with keys that nobody here knows.
    const own = await ask(serverName, { method: 'GET', uri, backOff: noBackOff });
    const fetched = readFetched(own, serverName, clock.now());
    if (fetched) return fetched;
    for (const notary of trusted) {
      if (notary.serverName === serverName) continue;
      // oxlint-disable-next-line no-await-in-loop -- the next only when one does not know
      const passedOn = await fromNotary(notary, serverName, keyId);
      if (passedOn) return passedOn;
    }
    return null;
  };
}

export type FetchKeys = ReturnType<typeof createKeyFetcher>;
