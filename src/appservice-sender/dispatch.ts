import type { AppserviceClient } from '../appservices/client.ts';
import type {
  AppserviceRegistration,
  AppserviceRegistrations,
} from '../appservices/registrations.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { createTimerWheel } from '../kernel/timer-wheel.ts';
import type { Feed } from './feed.ts';
import type { HeldService } from './held-service.ts';
import type { SenderMetrics } from './metrics.ts';
import type { ProgressStore } from './store/progress.ts';
import type { Transaction, Transactions } from './transaction.ts';

export interface DispatchNeeds {
  registrations: Pick<AppserviceRegistrations, 'byId'>;
  client: AppserviceClient;
  feed: Feed;
  transactions: Transactions;
  store: Pick<ProgressStore, 'save'>;
  metrics: SenderMetrics;
  clock: Clock;
  log: Log;
  /** A service has taken a transaction. */
  arrived(service: AppserviceRegistration, transaction: Transaction): void;
}

/** Sends to services, to each one transaction after the other, to all at the same time. */
export interface Dispatch {
  /** There may be something for the service. */
  wake(held: HeldService): void;
  /** The service is to be tried now, though it has failed. */
  retry(held: HeldService): void;
  /** Resolves when what is under way to the services has ended, or takes too long. */
  settle(held: Iterable<HeldService>): Promise<void>;
  stop(): void;
}

/** The first pause after a failure; each further one is twice as long, up to the longest. */
const firstRetryMs = 2_000;
const retryMsMax = 512_000;
/** Pause after the database did not answer. */
const databaseRetryMs = 1_000;
/** How precise times are. */
const tickMs = 100;
/** How long giving work away may take. */
const settleMsMax = 4_000;
/** Services may do a lot before they answer. */
const answerMsMax = 60_000;

export function createDispatch(needs: DispatchNeeds): Dispatch {
  const { registrations, client, feed, transactions, store, metrics, clock, log } = needs;
  const runs = new Map<HeldService, Promise<void>>();
  let isStopped = false;
  const wheel = createTimerWheel<HeldService>({ clock, tickMs, due: wake });

  const isOver = (held: HeldService) => isStopped || held.isGone;

  function wake(held: HeldService): void {
    held.isWoken = true;
    if (held.isRunning || isOver(held) || held.dueTs > clock.now()) return;
    held.isRunning = true;
    const end = run(held)
      .catch((error: unknown) => {
        pauseFor(held, databaseRetryMs);
        log.warn({ err: error, appservice: held.id }, 'sending to a service failed; trying again');
      })
      .finally(() => {
        held.isRunning = false;
        runs.delete(held);
        if (held.isWoken) wake(held);
      });
    runs.set(held, end);
  }

  function pauseFor(held: HeldService, ms: number): void {
    held.dueTs = clock.now() + ms;
    wheel.set(held, held.dueTs);
  }

  /** The next transaction, written down before anybody hears of it; null: there is nothing to send. */
  async function next(held: HeldService, service: AppserviceRegistration) {
    if (held.stored) {
      const again = await transactions.again(held.stored);
      held.stored = null;
      return again;
    }
    for (;;) {
      held.isWoken = false;
      // oxlint-disable-next-line no-await-in-loop
      const page = await feed.after(held.pos);
      // oxlint-disable-next-line no-await-in-loop
      const { transaction, uptoPos } = await transactions.make(service, page, held.waiting);
      if (isOver(held)) return null;
      if (transaction) {
        held.txnId = Math.max(held.txnId + 1, clock.now());
        held.transaction = transaction;
        // oxlint-disable-next-line no-await-in-loop
        await save(held);
        return transaction;
      }
      held.pos = uptoPos;
      if (uptoPos >= feed.position() && !held.isWoken && held.waiting.isEmpty()) return null;
    }
  }

  async function save(held: HeldService): Promise<void> {
    try {
      await store.save([held.progress()], held.fence ? [held.fence] : []);
    } catch (error) {
      // Not a word of it has been sent: what is new then goes along.
      held.transaction = null;
      throw error;
    }
    held.savedPos = held.pos;
    held.isUnsaved = false;
  }

  async function hasTaken(
    held: HeldService,
    service: AppserviceRegistration,
    { body }: Transaction,
  ): Promise<boolean> {
    const path = `/transactions/${held.txnId}`;
    try {
      const { status } = await client.ask(service, {
        method: 'PUT',
        path,
        legacyPath: path,
        body,
        timeoutMs: answerMsMax,
      });
      if (status >= 200 && status <= 299) return true;
      log.warn({ appservice: held.id, status }, 'a service did not take a transaction');
    } catch (error) {
      log.warn({ err: error, appservice: held.id }, 'a service cannot be reached');
    }
    return false;
  }

  function failed(held: HeldService): void {
    metrics.failed(held.id);
    held.isUnsaved ||= held.failingSinceTs === null;
    held.failingSinceTs ??= clock.now();
    held.waiting.drop();
    pauseFor(held, Math.min(firstRetryMs * 2 ** held.failures, retryMsMax));
    held.failures++;
  }

  async function run(held: HeldService): Promise<void> {
    while (!isOver(held)) {
      const service = registrations.byId(held.id);
      if (!service || service.url === null) return;
      // oxlint-disable-next-line no-await-in-loop -- one transaction after the other
      const transaction = held.transaction ?? (await next(held, service));
      if (!transaction || isOver(held)) return;
      held.transaction = transaction;
      // oxlint-disable-next-line no-await-in-loop
      if (!(await hasTaken(held, service, transaction))) {
        failed(held);
        return;
      }
      if (held.failures > 0)
        log.info({ appservice: held.id }, 'a service takes transactions again');
      Object.assign(held, { transaction: null, failures: 0, dueTs: 0, failingSinceTs: null });
      held.pos = Math.max(held.pos, transaction.uptoPos);
      held.isUnsaved = true;
      metrics.sent(held.id, transaction);
      needs.arrived(service, transaction);
    }
  }

  return {
    wake,
    retry(held) {
      held.dueTs = 0;
      wake(held);
    },
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
