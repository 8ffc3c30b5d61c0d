import type { Stream, StreamRow } from './define-stream.ts';

/** Called with rows of one stream in the order of their positions. Must not throw. */
export type RowsHandler<Row> = (rows: readonly StreamRow<Row>[]) => void;

/** Rows after the first position, up to the second and including it, ascending. */
export type RowsReader<Row> = (
  afterPos: number,
  uptoPos: number,
) => Promise<readonly { pos: number; row: Row }[]>;

/**
 * Carries stream rows, with their content, to whoever reads them. This form is for a single
 * process: publishing is a function call, and when it returns every reader has seen the rows.
 */
export interface Bus {
  /** Rows of one commit, ascending by position. Then the readers' `afterRows` are called. */
  publish(rows: readonly StreamRow[]): void;
  subscribe<Row>(stream: Stream<Row>, handler: RowsHandler<Row>): void;
  /**
   * Says how the rows of a durable stream are read again from the database, for processes that
   * missed them on the way. Every durable stream has one such reader.
   */
  recoverWith<Row>(stream: Stream<Row>, read: RowsReader<Row>): void;
  /** Called once after each published batch, when all its rows have been handled. */
  afterRows(handler: () => void): void;
  /** The position below which every durable row is known to this process. */
  position(): number;
  /** The newest ephemeral position. */
  ephemeralPosition(): number;
  /** Draws the position for a row of a stream that is not durable. */
  nextEphemeral(): number;
}

export interface LocalBusOptions {
  /** The last durable position drawn before this process began. */
  position: number;
  /** Above every ephemeral position of earlier runs: milliseconds since 1970 do. */
  ephemeralPosition: number;
  /** Told of errors in readers, which are bugs: the other readers still get the rows. */
  onReaderError(error: unknown): void;
}

export function createLocalBus(options: LocalBusOptions): Bus {
  const readers = new Map<Stream<unknown>, RowsHandler<unknown>[]>();
  const after: (() => void)[] = [];
  let position = options.position;
  let ephemeral = options.ephemeralPosition;

  function guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      options.onReaderError(error);
    }
  }

  function deliver(rows: readonly StreamRow[]): void {
    for (const handler of readers.get(rows[0]!.stream) ?? []) guarded(() => handler(rows));
  }

  return {
    publish(rows) {
      let start = 0;
      for (let i = 1; i <= rows.length; i++) {
        if (i === rows.length || rows[i]!.stream !== rows[start]!.stream) {
          deliver(rows.slice(start, i));
          start = i;
        }
      }
      for (const { stream, pos } of rows) {
        if (stream.durable && pos > position) position = pos;
      }
      for (const handler of after) guarded(handler);
    },
    subscribe(stream, handler) {
      const list = readers.get(stream) ?? [];
      list.push(handler as RowsHandler<unknown>);
      readers.set(stream, list);
    },
    // What is published here has been seen here.
    recoverWith: () => undefined,
    afterRows: (handler) => void after.push(handler),
    position: () => position,
    ephemeralPosition: () => ephemeral,
    nextEphemeral: () => ++ephemeral,
  };
}
