import type { SharedBackOff } from '../federation-client/shared-back-off.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { createTimerWheel } from '../kernel/timer-wheel.ts';
import type { Destination } from './destination.ts';
import type { Destinations } from './destinations.ts';
import type { EphemeralEdus } from './ephemeral-edus.ts';
import { runningMax } from './limits.ts';
import type { Transaction, Transactions } from './transaction.ts';
import type { Outcome, Transmitter } from './transmitter.ts';

/** How a transaction is tried again before its server is left alone. */
export interface RetryOptions {
  /** [federation.max_long_retries] */
  retriesMax: number;
  /** [federation.max_long_retry_delay], milliseconds. */
  retryDelayMsMax: number;
}

export interface DispatchNeeds {
  options: RetryOptions;
  destinations: Destinations;
  transactions: Transactions;
  transmitter: Transmitter;
  ephemeral: EphemeralEdus;
  backOff: Pick<SharedBackOff, 'waitMs' | 'failed'>;
  clock: Clock;
  log: Log;
  /** Makes the server's row in the database; resolves when it is there. */
  register(destination: Destination): Promise<void>;
  /** Whether the process may send for the server now. */
  maySend(destination: Destination): boolean;
}

/** Gives servers their turns: one transaction at a time each, a bounded number in all. */
export interface Dispatch {
  /** There may be something to do for the server. */
  wake(destination: Destination): void;
  /** Resolves when what is under way for the servers has ended, or takes too long. */
  settle(destinations: Iterable<Destination>): Promise<void>;
  stop(): void;
}

/** The first pause before a try; each further one is twice as long. */
const firstRetryMs = 1_000;
/** Pause after the database did not answer. */
const databaseRetryMs = 1_000;
/** How precise times are. */
const tickMs = 100;
/** How long giving work away may take. */
const settleMsMax = 4_000;

export function createDispatch(needs: DispatchNeeds): Dispatch {
  const { options, destinations, transactions, transmitter, ephemeral, backOff, clock, log } =
    needs;
  /** Those whose turn has come, when there are too many under way. */
  const ready = new Set<Destination>();
  const runs = new Map<Destination, Promise<void>>();
  let isStopped = false;
  const wheel = createTimerWheel<Destination>({
    clock,
    tickMs,
    due(destination) {
      // Set for another time since.
      if (destination.timerTs > clock.now()) return;
      destination.timerTs = Infinity;
      wake(destination);
    },
  });

  const isOver = (destination: Destination) =>
    isStopped || destination.isGone || !needs.maySend(destination);

  function wake(destination: Destination): void {
    if (destination.isRunning || isOver(destination)) return;
    const workTs = destination.hasWork() ? 0 : ephemeral.dueTs(destination.name);
    if (workTs === Infinity) return;
    const now = clock.now();
    const awakeTs = now + backOff.waitMs(destination.name);
    const dueTs = Math.max(destination.dueTs, workTs, awakeTs);
    if (dueTs > now) {
      if (dueTs >= destination.timerTs) return;
      destination.timerTs = dueTs;
      wheel.set(destination, dueTs);
    } else if (runs.size >= runningMax) ready.add(destination);
    else begin(destination);
  }

  function begin(destination: Destination): void {
    destination.isRunning = true;
    ready.delete(destination);
    const end = run(destination)
      .catch((error: unknown) => {
        destination.dueTs = clock.now() + databaseRetryMs;
        log.warn({ err: error, destination: destination.name }, 'sending failed; trying again');
      })
      .finally(() => {
        destination.isRunning = false;
        runs.delete(destination);
        wake(destination);
        const [next] = ready;
        if (next && runs.size < runningMax) {
          ready.delete(next);
          wake(next);
        }
      });
    runs.set(destination, end);
  }

  async function run(destination: Destination): Promise<void> {
    await needs.register(destination);
    while (!isOver(destination)) {
      // oxlint-disable-next-line no-await-in-loop -- one transaction after the other
      const transaction = destination.retry ?? (await transactions.next(destination));
      if (!transaction || isOver(destination)) return;
      // oxlint-disable-next-line no-await-in-loop
      const outcome = await transmitter.send(destination.name, transaction);
      // oxlint-disable-next-line no-await-in-loop
      if (!(await conclude(destination, transaction, outcome))) return;
    }
  }

  /** Whether there is to be another transaction now. */
  async function conclude(
    destination: Destination,
    transaction: Transaction,
    outcome: Outcome,
  ): Promise<boolean> {
    if (outcome === 'unacceptable') return shrink(destination, transaction);
    if (outcome === 'failed' || outcome === 'backing_off') {
      failed(destination, transaction, outcome);
      return false;
    }
    destination.retry = null;
    destination.failures = 0;
    if (outcome === 'arrived') destination.pdusMax = Infinity;
    await transactions.arrived(destination, transaction);
    return true;
  }

  function failed(destination: Destination, transaction: Transaction, outcome: Outcome): void {
    const { retriesMax, retryDelayMsMax } = options;
    if (outcome === 'failed' && destination.failures < retriesMax) {
      const pauseMs = Math.min(firstRetryMs * 2 ** destination.failures, retryDelayMsMax);
      destination.failures++;
      destination.retry = transaction;
      destination.dueTs = clock.now() + pauseMs;
      return;
    }
    if (outcome === 'failed') backOff.failed(destination.name);
    leaveAlone(destination, transaction);
  }

  /** Nothing stays in memory for a server that is away. */
  function leaveAlone(destination: Destination, transaction: Transaction): void {
    destination.retry = null;
    destination.failures = 0;
    destination.round = null;
    ephemeral.drop(destination.name);
    transactions.giveUp(destination, transaction);
    if (destination.behind || destination.queue.length > 0) {
      destinations.change(destination, () => destination.fallBehind(Infinity));
    }
  }

  /** Sends less at once; in the end goes on without what the server will not have. */
  async function shrink(destination: Destination, transaction: Transaction): Promise<boolean> {
    const { items, id } = transaction;
    destination.retry = null;
    if (items.length > 1) {
      destination.pdusMax = Math.ceil(Math.min(items.length, destination.pdusMax) / 2);
      transactions.giveUp(destination, transaction);
      return true;
    }
    log.warn({ destination: destination.name, txnId: id, items }, 'a server will not take these');
    await transactions.arrived(destination, transaction);
    return true;
  }

  return {
    wake,
    async settle(wanted) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, settleMsMax);
      });
      const ends = [...wanted].flatMap((one) => runs.get(one) ?? []);
      await Promise.race([Promise.all(ends), late]);
      clearTimeout(timer);
    },
    stop() {
      isStopped = true;
      wheel.stop();
    },
  };
}
