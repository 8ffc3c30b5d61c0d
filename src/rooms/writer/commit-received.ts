import type { BatchItem } from '../../database/database.ts';
import type { CommitKind } from '../../streams/committer.ts';
import { eventStream, type EventRow } from '../streams.ts';
import { HeadLost } from './commit-events.ts';
import type { RoomHead } from './head.ts';

/** A received event that does not simply continue its room, on its way to disk. */
export interface ReceivedUnit {
  head: RoomHead;
  /** The first gives the event's position. */
  items: BatchItem[];
  /** What readers are told, but for the position; null: nothing. */
  row: EventRow | null;
}

/** Writes received events one by one. Each results in its position. */
export const receivedCommit: CommitKind<ReceivedUnit, number> = {
  name: 'received',
  voidReason: (unit) => (unit.head.broken ? new HeadLost() : null),
  fence: (unit) => unit.head.fence,
  statements: (units) => units.flatMap((unit) => unit.items),
  complete(units, rows) {
    let next = 0;
    const results = units.map(({ items }) => {
      const [{ pos }] = rows[next] as [{ pos: number }];
      next += items.length;
      return pos;
    });
    const publish = units.flatMap(({ row }, i) => {
      if (!row) return [];
      const pos = results[i]!;
      row.event.pos = pos;
      row.event.eventNid = pos;
      return { stream: eventStream, pos, row };
    });
    return { results, publish };
  },
};
