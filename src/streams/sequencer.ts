import type { StreamRow } from './define-stream.ts';

/** Rows that may wait for those before them; more are dropped, and read again when their turn comes. */
const waitingMax = 50_000;

/** Positions that nothing is known of, while later ones have been heard of. Both are included. */
export interface Gap {
  fromPos: number;
  uptoPos: number;
}

/**
 * Brings durable rows into the one order of their positions. All positions come from one sequence
 * without leaps, so a row's turn has come when every position before it has been accounted for:
 * announced by the process that drew it, or settled, that is, looked up after every transaction
 * that could have drawn it had ended.
 */
export interface Sequencer {
  /** Everything up to here has been delivered. */
  position(): number;
  /** The highest position heard of. */
  highest(): number;
  /** Rows as somebody announces them, ascending, perhaps late, perhaps for the second time. */
  offer(rows: readonly StreamRow[]): void;
  /** Somebody says that positions up to this one have been drawn. */
  heardOf(pos: number): void;
  /** The first positions that are missing; null when none are. */
  gap(): Gap | null;
  /** All there will ever be up to a position, after the current one. */
  settle(uptoPos: number, rows: readonly StreamRow[]): void;
}

/** `deliver` gets rows in order, each once, and the position that is reached with them. */
export function createSequencer(
  startPos: number,
  deliver: (rows: readonly StreamRow[], position: number) => void,
): Sequencer {
  const waiting = new Map<number, StreamRow>();
  let position = startPos;
  let highest = startPos;

  function advance(ready: StreamRow[], uptoPos: number): void {
    let next = uptoPos + 1;
    for (let row = waiting.get(next); row; row = waiting.get(++next)) {
      ready.push(row);
      waiting.delete(next);
    }
    position = next - 1;
    if (position > highest) highest = position;
    deliver(ready, position);
  }

  return {
    position: () => position,
    highest: () => highest,
    heardOf(pos) {
      if (pos > highest) highest = pos;
    },
    offer(rows) {
      const ready: StreamRow[] = [];
      let reached = position;
      for (const row of rows) {
        if (row.pos > highest) highest = row.pos;
        if (row.pos === reached + 1) {
          ready.push(row);
          reached++;
          waiting.delete(row.pos);
        } else if (row.pos > reached && waiting.size < waitingMax) {
          waiting.set(row.pos, row);
        }
      }
      if (reached > position) advance(ready, reached);
    },
    gap() {
      if (position >= highest) return null;
      let uptoPos = highest;
      for (const pos of waiting.keys()) if (pos <= uptoPos) uptoPos = pos - 1;
      return { fromPos: position + 1, uptoPos };
    },
    settle(uptoPos, rows) {
      if (uptoPos <= position) return;
      const found = new Map<number, StreamRow>();
      for (const row of rows) if (row.pos > position && row.pos <= uptoPos) found.set(row.pos, row);
      for (const [pos, row] of waiting) {
        if (pos > uptoPos) continue;
        if (pos > position && !found.has(pos)) found.set(pos, row);
        waiting.delete(pos);
      }
      const ready = [...found.values()].sort((a, b) => a.pos - b.pos);
      if (uptoPos > highest) highest = uptoPos;
      advance(ready, uptoPos);
    },
  };
}
