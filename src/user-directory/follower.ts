import type { Database, Queryable } from '../database/database.ts';
import type { Log } from '../kernel/log.ts';
import type { EventRow } from '../rooms/module.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { renewEntries } from './entries.ts';
import { hasQueue, takeFromQueue } from './store/entries.ts';
import { followState, holdsDirectory } from './store/follow-state.ts';
import { directoryWorkStream } from './streams.ts';

/** Users renewed in one transaction. */
const renewedMax = 500;
/** How often the notes are looked at without being told: names change through other processes too. */
const lookMs = 1_000;
/** Every so many looks state is looked at though no change was heard of, so that the cursor moves. */
const looksPerStateLook = 30;

export interface FollowerNeeds {
  database: Database;
  bus: Bus;
  log: Log;
}

/** Keeps the directory up to date: follows state by a cursor, and works off the notes. */
export interface Follower {
  /** Resolves when everything committed before the call is in the directory. */
  catchUp(): Promise<void>;
  /** Follows from now on. */
  start(): void;
  /** Resolves when the work under way has ended. */
  stop(): Promise<void>;
  /** Null when nothing is known to be outstanding here, else a promise of the end of that work. */
  outstanding(): Promise<void> | null;
}

const isPublicity = (type: string) =>
  type === 'm.room.join_rules' || type === 'm.room.history_visibility';

const concerns = ({ memberships, changed, event }: EventRow) =>
  memberships.length > 0 ||
  (changed?.some(([type]) => isPublicity(type)) ??
    (event.stateKey === '' && isPublicity(event.type)));

export function createFollower({ database, bus, log }: FollowerNeeds): Follower {
  let isStateBehind = true;
  let isBehind = true;
  /** Another process was at it, and may have died since. */
  let isLeftToOther = false;
  let running: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let looks = 0;

  /** Runs steps, each a transaction, until one says that nothing is left. */
  async function work(step: (tx: Queryable) => Promise<boolean>): Promise<void> {
    const locked = async (tx: Queryable) => {
      if (await holdsDirectory(tx)) return step(tx);
      isLeftToOther = true;
      return true;
    };
    // oxlint-disable-next-line no-await-in-loop
    while (!(await database.transaction(locked)));
  }

  async function run(): Promise<void> {
    while (isBehind || isStateBehind) {
      const isStateDue = isStateBehind;
      isBehind = false;
      isStateBehind = false;
      const uptoPos = bus.position();
      // oxlint-disable-next-line no-await-in-loop
      if (isStateDue) await work((tx) => followState(tx, uptoPos));
      // oxlint-disable-next-line no-await-in-loop
      if (!(await hasQueue(database))) continue;
      // oxlint-disable-next-line no-await-in-loop
      await work(async (tx) => {
        const userNids = await takeFromQueue(tx, renewedMax);
        if (userNids.length > 0) await renewEntries(tx, userNids);
        return userNids.length === 0;
      });
    }
  }

  function go(): Promise<void> {
    running ??= run().finally(() => {
      running = null;
    });
    return running;
  }

  function goSoon(): void {
    if (timer === null) return;
    go().catch((error: unknown) => {
      // It stays in the database, and the next look tries again.
      isBehind = true;
      isStateBehind = true;
      log.warn({ err: error }, 'the user directory could not be brought up to date');
    });
  }

  bus.subscribe(eventStream, (rows) => {
    if (!rows.some(({ row }) => concerns(row))) return;
    isStateBehind = true;
    // After the bus has moved to the position of these rows.
    setImmediate(goSoon);
  });
  bus.subscribe(directoryWorkStream, () => {
    isBehind = true;
    goSoon();
  });

  return {
    async catchUp() {
      await running?.catch(() => undefined);
      isBehind = true;
      isStateBehind = true;
      await go();
    },
    start() {
      timer ??= setInterval(() => {
        isBehind = true;
        isStateBehind ||= isLeftToOther || ++looks % looksPerStateLook === 0;
        isLeftToOther = false;
        goSoon();
      }, lookMs);
      timer.unref();
      goSoon();
    },
    async stop() {
      if (timer) clearInterval(timer);
      timer = null;
      await running?.catch(() => undefined);
    },
    outstanding: () => (timer !== null && (isBehind || isStateBehind || running) ? go() : null),
  };
}
