import type { RowsHandler } from './bus.ts';
import type { Stream, StreamRow } from './define-stream.ts';

/** Those of this process who read streams. */
export interface Readers {
  add<Row>(stream: Stream<Row>, handler: RowsHandler<Row>): void;
  addAfterRows(handler: () => void): void;
  /** Whether anybody reads the stream. */
  has(stream: Stream<unknown>): boolean;
  /** Hands out rows, in their order; then calls `moved`, then those who want to know after. */
  deliver(rows: readonly StreamRow[], moved?: () => void): void;
}

/** `onError` is told of errors in readers, which are bugs: the others still get the rows. */
export function createReaders(onError: (error: unknown) => void): Readers {
  const handlers = new Map<Stream<unknown>, RowsHandler<unknown>[]>();
  const after: (() => void)[] = [];

  function guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      onError(error);
    }
  }

  return {
    add(stream, handler) {
      const list = handlers.get(stream) ?? [];
      list.push(handler as RowsHandler<unknown>);
      handlers.set(stream, list);
    },
    addAfterRows: (handler) => void after.push(handler),
    has: (stream) => handlers.has(stream),
    deliver(rows, moved) {
      let start = 0;
      for (let i = 1; i <= rows.length; i++) {
        if (i < rows.length && rows[i]!.stream === rows[start]!.stream) continue;
        const run = start === 0 && i === rows.length ? rows : rows.slice(start, i);
        for (const handler of handlers.get(rows[start]!.stream) ?? []) guarded(() => handler(run));
        start = i;
      }
      moved?.();
      for (const handler of after) guarded(handler);
    },
  };
}
