import type { Bus } from '../streams/bus.ts';
import type { WaitingMessage } from './store/inbox.ts';
import { toDeviceStream, type ToDeviceRow } from './streams.ts';

/** Text of messages kept in memory, in UTF-16 units. */
const recentCharactersMax = 8 * 1024 * 1024;

interface Kept {
  pos: number;
  row: ToDeviceRow;
}

/** The latest messages, so that devices that are syncing get them without a query. */
export interface RecentMessages {
  /** A device's messages after a position, oldest first; null: some may be older than is known. */
  after(deviceNid: number, afterPos: number, uptoPos: number): WaitingMessage[] | null;
}

export function createRecentMessages(bus: Bus, max = recentCharactersMax): RecentMessages {
  const devices = new Map<number, Kept[]>();
  /** Oldest first; entries before `oldest` are gone. */
  let order: Kept[] = [];
  let oldest = 0;
  let characters = 0;
  /** Everything after this position is here. */
  let start = bus.position();

  function dropOldest(): void {
    const { pos, row } = order[oldest++]!;
    start = pos;
    characters -= row.message.length;
    // The device's oldest is the oldest of all.
    const list = devices.get(row.deviceNid)!;
    list.shift();
    if (list.length === 0) devices.delete(row.deviceNid);
    if (oldest * 2 > order.length) {
      order = order.slice(oldest);
      oldest = 0;
    }
  }

  bus.subscribe(toDeviceStream, (rows) => {
    for (const { pos, row } of rows) {
      const kept = { pos, row };
      order.push(kept);
      characters += row.message.length;
      const list = devices.get(row.deviceNid);
      if (list) list.push(kept);
      else devices.set(row.deviceNid, [kept]);
    }
    while (characters > max) dropOldest();
  });

  return {
    after(deviceNid, afterPos, uptoPos) {
      if (afterPos < start) return null;
      const found: WaitingMessage[] = [];
      for (const { pos, row } of devices.get(deviceNid) ?? []) {
        if (pos > afterPos && pos <= uptoPos) found.push({ pos, message: row.message });
      }
      return found;
    },
  };
}
