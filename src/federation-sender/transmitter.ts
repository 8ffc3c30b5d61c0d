import { FederationError } from '../federation-client/errors.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { BackOff } from '../federation-client/back-off.ts';
import type { Log } from '../kernel/log.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { SenderMetrics } from './sender-metrics.ts';
import type { Transaction } from './transaction.ts';

/**
 * What came of a transaction. `unacceptable`: the server will not take it, however often it is sent;
 * `denied`: the server may not be contacted.
 */
export type Outcome = 'arrived' | 'failed' | 'backing_off' | 'unacceptable' | 'denied';

/** Sends transactions. */
export interface Transmitter {
  send(destination: string, transaction: Transaction): Promise<Outcome>;
}

export interface TransmitterNeeds {
  federation: Pick<FederationClient, 'request'>;
  backOff: BackOff;
  metrics: SenderMetrics;
  log: Log;
}

/** A transaction is taken whole unless it is no good (spec: 200 whatever becomes of its PDUs). */
const unacceptableStatuses = new Set([400, 413]);

export function createTransmitter(needs: TransmitterNeeds): Transmitter {
  const { federation, backOff, metrics, log } = needs;
  /** A failure is one only after some tries: see the dispatch. */
  const patient: BackOff = { ...backOff, failed: () => undefined };

  function noteAnswer(destination: string, { id }: Transaction, answer: JsonObject): void {
    const results = (answer['pdus'] ?? {}) as Record<string, { error?: unknown } | null>;
    for (const [eventId, result] of Object.entries(results)) {
      const error = result?.error;
      if (error !== undefined) log.debug({ destination, txnId: id, eventId, error }, 'PDU refused');
    }
    log.debug({ destination, txnId: id, pdus: Object.keys(results).length }, 'transaction taken');
  }

  function outcomeOf(error: unknown): Outcome {
    if (!(error instanceof FederationError)) return 'unacceptable';
    if (error.reason === 'denied') return 'denied';
    if (error.reason === 'backing_off') return 'backing_off';
    return unacceptableStatuses.has(error.answer?.status ?? 0) ? 'unacceptable' : 'failed';
  }

  return {
    async send(destination, transaction) {
      const { id, content } = transaction;
      const uri = `/_matrix/federation/v1/send/${id}`;
      try {
        const request = { method: 'PUT', uri, content, backOff: patient } as const;
        noteAnswer(destination, transaction, await federation.request(destination, request));
      } catch (error) {
        log.info({ err: error, destination, txnId: id }, 'a transaction was not taken');
        return outcomeOf(error);
      }
      metrics.sent(destination, transaction);
      return 'arrived';
    },
  };
}
