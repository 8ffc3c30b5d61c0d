import { fenceItem, LeaseLost, type Fence } from '../database/fence.ts';
import type { BatchItem, Database } from '../database/database.ts';
import type { Bus } from './bus.ts';
import type { StreamRow } from './define-stream.ts';

/** How writes of one kind become statements together, and what each of them results in. */
export interface CommitKind<Unit, Result> {
  readonly name: string;
  /** Why a unit must not be written after all: what it stood on has failed since. */
  voidReason?(unit: Unit): Error | null;
  /** The lease under which a unit is written; without it the unit fails with LeaseLost. */
  fence?(unit: Unit): Fence | null;
  /** The statements that write all the units. Few: they are multi-row. */
  statements(units: readonly Unit[]): BatchItem[];
  /** Given the rows of those statements: each unit's result, and the stream rows to announce. */
  complete(
    units: readonly Unit[],
    rows: readonly unknown[][],
  ): { results: Result[]; publish: StreamRow[] };
}

/** Thrown to every unit of a batch that failed together; the unit itself may be blameless. */
export class BatchFailed extends Error {
  constructor(cause: unknown) {
    super('a write failed together with others', { cause });
    this.name = 'BatchFailed';
  }
}

interface Waiting {
  kind: CommitKind<unknown, unknown>;
  unit: unknown;
  /** Commit with nothing else, after a failure that somebody else may have caused. */
  alone: boolean;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Units in one transaction; bounds its length and the memory of a burst. */
const batchUnitsMax = 256;
/** Units that may wait. Beyond it the database is too slow and callers are told so at once. */
const waitingUnitsMax = 20_000;

/**
 * With other processes each transaction is also a message that all of them read. Under load they
 * begin no sooner than this after each other, milliseconds, so that they are fewer and bring more.
 */
const gatherMs = 5;

/**
 * In a single process a transaction waits no longer than this, milliseconds, for as many writes as
 * the one before had and left waiting. Clients that write one thing after the other are back by then,
 * and all go together; else they would take turns, half of them waiting for the other half.
 */
const returnMs = 2;

/**
 * Group commit: all durable writes of a process go through one transaction at a time. While one is
 * in flight the next gathers, so batches grow with load and a lone write waits for nobody. Those whom
 * one transaction has answered together are awaited by the next, for an instant. When a transaction has
 * committed its rows go to the bus, and then the callers get their answers.
 */
export interface Committer {
  /** Writes a unit; resolves when it is on disk and announced. */
  commit<Unit, Result>(
    kind: CommitKind<Unit, Result>,
    unit: Unit,
    options?: { alone?: boolean },
  ): Promise<Result>;
  /**
   * Writes one statement in the next transaction. `complete` gets its rows and gives the result
   * and the stream rows to announce. The statement draws its positions with
   * `nextval('stream_position')` and returns them.
   */
  write<Row, Result>(
    item: BatchItem,
    complete: (rows: Row[]) => { result: Result; publish: StreamRow[] },
  ): Promise<Result>;
  /** Resolves when nothing waits and nothing is in flight. */
  drain(): Promise<void>;
}

interface SingleWrite {
  item: BatchItem;
  complete(rows: unknown[]): { result: unknown; publish: StreamRow[] };
}

const singleWrites: CommitKind<SingleWrite, unknown> = {
  name: 'single',
  statements: (units) => units.map((unit) => unit.item),
  complete(units, rows) {
    const publish: StreamRow[] = [];
    const results = units.map((unit, i) => {
      const done = unit.complete(rows[i]!);
      publish.push(...done.publish);
      return done.result;
    });
    return { results, publish };
  },
};

/** Why a unit is not to be written: it alone fails, not what would be written with it. */
function voidReasonOf({ kind, unit }: Waiting): Error | null {
  const reason = kind.voidReason?.(unit) ?? null;
  return reason ?? (kind.fence?.(unit)?.isOver ? new LeaseLost() : null);
}

function fencesOf(batch: readonly Waiting[]): Fence[] {
  return batch.flatMap(({ kind, unit }) => kind.fence?.(unit) ?? []);
}

export class CommitQueueFull extends Error {
  constructor() {
    super('too many writes wait for the database');
    this.name = 'DatabaseUnavailable';
  }
}

export function createCommitter(database: Database, bus: Bus): Committer {
  const isAlone = bus.tag === '';
  let waiting: Waiting[] = [];
  let inFlight = false;
  let begunAtMs = 0;
  let endedAtMs = 0;
  /** With so many waiting units the next transaction begins, however early it is. */
  let unitsWanted = 0;
  /** Ends the gathering. */
  let enough: (() => void) | null = null;
  let idle: (() => void)[] = [];

  function take(): Waiting[] {
    const alone = waiting[0]!.alone;
    let count = 1;
    if (!alone) {
      const max = Math.min(waiting.length, batchUnitsMax);
      while (count < max && !waiting[count]!.alone) count++;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch.filter((entry) => {
      const reason = voidReasonOf(entry);
      if (reason) entry.reject(reason);
      return reason === null;
    });
  }

  async function run(batch: Waiting[]): Promise<void> {
    const groups = new Map<CommitKind<unknown, unknown>, Waiting[]>();
    for (const entry of batch) {
      const group = groups.get(entry.kind);
      if (group) group.push(entry);
      else groups.set(entry.kind, [entry]);
    }
    const items: BatchItem[] = [];
    const fence = fenceItem(fencesOf(batch));
    if (fence) items.push(fence);
    const spans: [CommitKind<unknown, unknown>, Waiting[], number, number][] = [];
    for (const [kind, entries] of groups) {
      const own = kind.statements(entries.map((entry) => entry.unit));
      spans.push([kind, entries, items.length, items.length + own.length]);
      items.push(...own);
    }
    // Whoever is answered may write again at once, and would be counted twice.
    const rows = await database.batch('commit', items).finally(() => ended(batch.length));
    const publish: StreamRow[] = [];
    const answers: [Waiting, unknown][] = [];
    for (const [kind, entries, from, to] of spans) {
      const done = kind.complete(
        entries.map((entry) => entry.unit),
        rows.slice(from, to),
      );
      publish.push(...done.publish);
      entries.forEach((entry, i) => answers.push([entry, done.results[i]]));
    }
    if (spans.length > 1) publish.sort((a, b) => a.pos - b.pos);
    if (publish.length > 0) bus.publish(publish);
    const last = publish.findLast((row) => row.stream.durable);
    const reached = last ? bus.reached(last.pos) : null;
    const answer = () => {
      for (const [entry, result] of answers) entry.resolve(result);
    };
    // Whoever gets an answer finds what was written, here at least.
    if (reached) void reached.then(answer);
    else answer();
  }

  /** Null: nothing is gathered. */
  function gather(): Promise<void> | null {
    const untilMs = isAlone ? endedAtMs + returnMs : begunAtMs + gatherMs;
    const restMs = untilMs - performance.now();
    if (restMs <= 0 || waiting.length >= unitsWanted) return null;
    return new Promise((resolve) => {
      const timer = setTimeout(() => enough?.(), restMs);
      enough = () => {
        enough = null;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  function ended(units: number): void {
    endedAtMs = performance.now();
    const wanted = isAlone ? units + waiting.length : units < 2 ? 0 : batchUnitsMax;
    unitsWanted = Math.min(wanted, batchUnitsMax);
  }

  async function loop(): Promise<void> {
    inFlight = true;
    while (waiting.length > 0) {
      const gathering = gather();
      if (gathering) await gathering;
      begunAtMs = performance.now();
      const batch = take();
      if (batch.length === 0) continue;
      try {
        await run(batch);
      } catch (error) {
        const failure = batch.length === 1 ? error : new BatchFailed(error);
        for (const entry of batch) entry.reject(failure);
      }
    }
    inFlight = false;
    for (const resolve of idle) resolve();
    idle = [];
  }

  function enqueue(kind: CommitKind<never, never>, unit: unknown, alone: boolean) {
    if (waiting.length >= waitingUnitsMax) return Promise.reject(new CommitQueueFull());
    return new Promise<unknown>((resolve, reject) => {
      waiting.push({ kind: kind, unit, alone, resolve, reject });
      if (waiting.length >= unitsWanted) enough?.();
      // A microtask later, so that what one turn of the event loop brings goes together.
      if (!inFlight) {
        inFlight = true;
        setImmediate(() => void loop());
      }
    });
  }

  return {
    commit: (kind, unit, options) =>
      enqueue(kind as never, unit, options?.alone ?? false) as Promise<never>,
    async write(item, complete) {
      const unit = { item, complete };
      try {
        return (await enqueue(singleWrites as never, unit, false)) as never;
      } catch (error) {
        if (!(error instanceof BatchFailed)) throw error;
        return (await enqueue(singleWrites as never, unit, true)) as never;
      }
    },
    drain: () =>
      inFlight || waiting.length > 0
        ? new Promise<void>((resolve) => void idle.push(resolve))
        : Promise.resolve(),
  };
}
