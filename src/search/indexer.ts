import type { Database, Queryable } from '../database/database.ts';
import type { Bus } from '../streams/bus.ts';
import { fieldOf, textIn } from './fields.ts';
import { vectorOf } from './search-text.ts';
import {
  holdCursor,
  newTexts,
  putTexts,
  type NewText,
  type SearchableText,
} from './store/searchable.ts';

/** Events taken in by one transaction. */
const batchEvents = 500;
/** Batches that a search waits for; what is older is found when the job has come to it. */
const batchesWaitedMax = 4;
function searchable(row: NewText): SearchableText[] {
  const text = textIn(row.type, row.content);
  const words = text === null ? null : vectorOf(text, row.roomNid);
  if (words === null) return [];
  const { roomNid, eventNid, senderNid, pos, sub } = row;
  return [{ roomNid, eventNid, senderNid, pos, sub, field: fieldOf(row.type)!, words }];
}

/**
 * One batch; true when there is nothing more. What was committed after `knownPos` is taken in too,
 * so that everybody finds what they have just sent; but the cursor stays behind it, for something
 * in between may not have been committed yet.
 */
async function takeBatch(tx: Queryable, knownPos: number): Promise<boolean> {
  const afterPos = await holdCursor(tx);
  const rows = await newTexts(tx, afterPos, batchEvents);
  const isLast = rows.length < batchEvents;
  const lastPos = rows.at(-1)?.pos ?? knownPos;
  // Of the last position there may be more: it comes again, unless there is nothing else.
  const readPos = isLast ? knownPos : Math.max(lastPos - 1, afterPos + 1);
  const reached = Math.max(afterPos, Math.min(readPos, knownPos));
  await putTexts(tx, rows.flatMap(searchable), { afterPos, cursorPos: reached });
  return isLast || reached === afterPos;
}

/** Keeps the index up to date. */
export interface Indexer {
  /** Takes in what this process knows of, up to a bound. */
  catchUp(): Promise<void>;
  /** The same without a bound, for whoever does the work of the background. */
  index(): Promise<void>;
  /** Resolves when the work under way has ended. */
  stop(): Promise<void>;
}

export function createIndexer({ database, bus }: { database: Database; bus: Bus }): Indexer {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();

  async function run(batchesMax: number): Promise<void> {
    const knownPos = bus.position();
    for (let i = 0; i < batchesMax && !stopping.signal.aborted; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one batch after the other bounds memory
      if (await database.transaction((tx) => takeBatch(tx, knownPos))) return;
    }
  }

  return {
    catchUp: () => run(batchesWaitedMax),
    index() {
      running = run(Infinity);
      return running;
    },
    async stop() {
      stopping.abort();
      await running.catch(() => undefined);
    },
  };
}
