import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { deleteOldConnections, selectConnections, upsertConnections } from './store/devices.ts';

interface Seen {
  userNid: number;
  deviceNid: number;
  ip: string;
  userAgent: string;
  ts: number;
}

/** Connections that wait for the next write; in a burst beyond it the rest go unrecorded. */
const waitingMax = 20_000;
/** Longer user agents are cut. */
const userAgentLengthMax = 512;

/** Which address and program a device was last used from, for `/devices` and `whois`. */
export interface Connections {
  /** Remembers a use; written with the next `flush`. */
  record(
    userNid: number,
    deviceNid: number | null,
    from: { ip: string; userAgent: string; ts: number },
  ): void;
  /** Writes what has been recorded, with one statement. */
  flush(): Promise<void>;
  list(
    userNid: number,
  ): Promise<{ deviceId: string | null; ip: string; userAgent: string; lastSeenTs: number }[]>;
  /** Forgets connections not seen for `keptMs`. */
  removeOld(keptMs: number): Promise<void>;
}

export function createConnections(database: Database, clock: Clock): Connections {
  let waiting = new Map<string, Seen>();

  async function flush(): Promise<void> {
    if (waiting.size === 0) return;
    const seen = [...waiting.values()];
    waiting = new Map();
    await database.query(upsertConnections, [
      seen.map((s) => s.userNid),
      seen.map((s) => s.deviceNid),
      seen.map((s) => s.ip),
      seen.map((s) => s.userAgent),
      seen.map((s) => s.ts),
    ]);
  }

  return {
    record(userNid, deviceNid, { ip, userAgent, ts }) {
      if (waiting.size >= waitingMax) return;
      waiting.set(`${userNid} ${deviceNid ?? 0} ${ip}`, {
        userNid,
        deviceNid: deviceNid ?? 0,
        ip,
        // The database has no place for NUL in text.
        userAgent: userAgent.slice(0, userAgentLengthMax).replaceAll('\0', ''),
        ts,
      });
    },
    flush,
    async list(userNid) {
      await flush();
      return database.query(selectConnections, [userNid]);
    },
    async removeOld(keptMs) {
      await database.query(deleteOldConnections, [clock.now() - keptMs]);
    },
  };
}
