import type { Stream, StreamRow } from './define-stream.ts';
import type { StreamPosition } from './position.ts';
import { createReaders } from './readers.ts';

/** Called with rows of one stream in the order of their positions. Must not throw. */
export type RowsHandler<Row> = (rows: readonly StreamRow<Row>[]) => void;

/** Rows after the first position, up to the second and including it, ascending. */
export type RowsReader<Row> = (
  afterPos: number,
  uptoPos: number,
) => Promise<readonly { pos: number; row: Row }[]>;

/**
 * Carries stream rows, with their content, to whoever reads them. Durable rows reach the readers of
 * every process in the one order of their positions, each once; others as they come, and they may
 * be lost on the way.
 */
export interface Bus {
  /** Which process this is, in positions that clients bring; empty when there is but one. */
  readonly tag: string;
  /** Rows of one commit, ascending by position. Then the readers' `afterRows` are called. */
  publish(rows: readonly StreamRow[]): void;
  subscribe<Row>(stream: Stream<Row>, handler: RowsHandler<Row>): void;
  /**
   * Says how the rows of a durable stream are read again from the database, for processes that
   * missed them on the way. Every durable stream has one such reader.
   */
  recoverWith<Row>(stream: Stream<Row>, read: RowsReader<Row>): void;
  /** Called once after each delivered batch, when all its rows have been handled. */
  afterRows(handler: () => void): void;
  /**
   * Called when rows of streams that are not durable may have been missed: what was derived from
   * them is to be forgotten.
   */
  onMissed(handler: () => void): void;
  /**
   * False while rows of streams that are not durable do not arrive: what was derived from them is
   * not to be believed.
   */
  hearsOthers(): boolean;
  /** The position up to which every durable row has reached this process's readers. */
  position(): number;
  /** Null when the readers here are as far, else a promise that they are, or that it took too long. */
  reached(pos: number): Promise<void> | null;
  /**
   * Resolves when the readers here have what was there at the call, or it took too long: rows up to
   * where the database was, others as far as they had been sent. Null when they always have.
   */
  caughtUp(): Promise<void> | null;
  /**
   * Resolves when what was published here has come to the other processes, or it took too long; null
   * when there are none. Durable rows need no such wait: who asks elsewhere looks for them there.
   */
  delivered(): Promise<void> | null;
  /** The newest ephemeral position. */
  ephemeralPosition(): number;
  /** Draws the position for a row of a stream that is not durable. */
  nextEphemeral(): number;
}

/** Where the readers of this process are. */
export const positionOf = (bus: Bus): StreamPosition => ({
  durable: bus.position(),
  ephemeral: bus.ephemeralPosition(),
  tag: bus.tag,
});

/**
 * How much further back than its word a position of another process is taken: more than clocks and
 * the ways of messages differ. What is told twice for it is told whole each time.
 */
const strangersMarginMs = 10_000;

/**
 * A position that a client has brought, as it is meant here; waits until the readers here are as
 * far, for a bounded time.
 */
export async function arriveAt(bus: Bus, position: StreamPosition): Promise<StreamPosition> {
  await bus.reached(position.durable);
  if (position.tag === bus.tag) return position;
  const ephemeral = Math.max(0, position.ephemeral - strangersMarginMs);
  return { ...position, ephemeral, tag: bus.tag };
}

export interface LocalBusOptions {
  /** The last durable position drawn before this process began. */
  position: number;
  /** Above every ephemeral position of earlier runs: milliseconds since 1970 do. */
  ephemeralPosition: number;
  /** Told of errors in readers, which are bugs: the other readers still get the rows. */
  onReaderError(error: unknown): void;
}

/** The form for a single process: when `publish` returns every reader has seen the rows. */
export function createLocalBus(options: LocalBusOptions): Bus {
  const readers = createReaders((error) => options.onReaderError(error));
  let position = options.position;
  let ephemeral = options.ephemeralPosition;

  return {
    tag: '',
    publish(rows) {
      readers.deliver(rows, () => {
        for (const { stream, pos } of rows) {
          if (stream.durable && pos > position) position = pos;
        }
      });
    },
    subscribe: (stream, handler) => readers.add(stream, handler),
    // What is published here has been seen here.
    recoverWith: () => undefined,
    afterRows: (handler) => readers.addAfterRows(handler),
    onMissed: () => undefined,
    hearsOthers: () => true,
    position: () => position,
    reached: () => null,
    caughtUp: () => null,
    delivered: () => null,
    ephemeralPosition: () => ephemeral,
    nextEphemeral: () => ++ephemeral,
  };
}
