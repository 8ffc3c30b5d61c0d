import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Log } from '../kernel/log.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { InboundMetrics } from './inbound-metrics.ts';
import type { PduResults, Receiving } from './receive-pdus.ts';

/** Takes in an ephemeral data unit of a server; what is wrong with it is its sender's affair. */
export type EduHandler = (origin: string, content: JsonObject) => Promise<void>;

export interface TransactionsNeeds {
  receivePdus: Receiving['receivePdus'];
  /** By type; asked for when they are needed. */
  edus: () => ReadonlyMap<string, EduHandler>;
  metrics: InboundMetrics;
  log: Log;
}

export interface Transaction {
  pdus: readonly JsonObject[];
  edus: readonly { edu_type: string; content: JsonObject }[];
}

/** Answers that are kept for servers that ask again; a few kilobytes each. */
const keptAnswersMax = 1_000;

/** Transactions of other servers (server-server spec, "Transactions"). */
export function createTransactions(needs: TransactionsNeeds) {
  const { receivePdus, edus, metrics, log } = needs;
  const answers = boundedCache<string, Promise<PduResults>>(keptAnswersMax);

  async function receiveEdus(origin: string, transaction: Transaction): Promise<void> {
    for (const { edu_type: type, content } of transaction.edus) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- in their order
        await edus().get(type)?.(origin, content);
      } catch (error) {
        log.warn({ err: error, origin, type }, 'an EDU of another server could not be taken in');
      }
    }
  }

  async function receive(origin: string, transaction: Transaction): Promise<PduResults> {
    const taken = metrics.received(origin, transaction);
    const pdus = receivePdus(origin, transaction.pdus);
    pdus.then(
      () => taken(true),
      () => taken(false),
    );
    const [results] = await Promise.all([pdus, receiveEdus(origin, transaction)]);
    return results;
  }

  return {
    /** Gives what became of each event. The same transaction is taken in once. */
    receive(origin: string, txnId: string, transaction: Transaction): Promise<PduResults> {
      const key = `${origin} ${txnId}`;
      const known = answers.get(key);
      if (known) return known;
      const answer = receive(origin, transaction);
      answers.set(key, answer);
      answer.catch(() => answers.delete(key));
      return answer;
    },
  };
}

export type Transactions = ReturnType<typeof createTransactions>;
