import { LRUCache } from 'lru-cache';
import { MatrixError } from '../kernel/errors.ts';
import { parseServerAcl, type ServerAcl } from '../matrix/server-acl.ts';
import type { Bus } from '../streams/bus.ts';
import type { StateStore } from './store/read-state.ts';
import { contentOf, type StoredEvent } from './stored-event.ts';
import { eventStream, removedRoomStream, type EventRow } from './streams.ts';

const aclType = 'm.room.server_acl';
/** Characters of contents, and rooms, that are remembered; what is made of them is a few times that. */
const cachedLengthMax = 8_000_000;
const roomLength = 100;

/** Which servers may take part in rooms, remembered and kept true by the event stream. */
export interface ServerAcls {
  /** Whether the room's `m.room.server_acl`, as it is now, lets the server take part. */
  allows(roomNid: number, serverName: string): Promise<boolean>;
  /** Throws M_FORBIDDEN for a server that it does not let in. */
  check(roomNid: number, serverName: string): Promise<void>;
}

const isAcl = ({ type, stateKey }: Pick<StoredEvent, 'type' | 'stateKey'>) =>
  type === aclType && stateKey === '';

const changesAcl = ({ event, changed, redacted }: EventRow): boolean =>
  (changed === null
    ? isAcl(event)
    : changed.some(([type, key]) => type === aclType && key === '')) ||
  (redacted !== null && isAcl(redacted));

export function createServerAcls(states: Pick<StateStore, 'entries'>, bus: Bus): ServerAcls {
  const cache = new LRUCache<number, { acl: ServerAcl | null; length: number }>({
    maxSize: cachedLengthMax,
    sizeCalculation: ({ length }) => roomLength + length,
  });
  let changes = 0;
  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      if (!changesAcl(row)) continue;
      changes++;
      cache.delete(row.event.roomNid);
    }
  });

  bus.subscribe(removedRoomStream, (rows) => {
    for (const { row } of rows) cache.delete(row.roomNid);
  });

  async function load(roomNid: number): Promise<ServerAcl | null> {
    const before = changes;
    const [event] = await states.entries(roomNid, [[aclType, '']]);
    const acl = event ? parseServerAcl(contentOf(event)) : null;
    // What has changed meanwhile may be missing.
    if (before === changes) cache.set(roomNid, { acl, length: event?.content.length ?? 0 });
    return acl;
  }

  async function allows(roomNid: number, serverName: string): Promise<boolean> {
    const known = cache.get(roomNid);
    const acl = known ? known.acl : await load(roomNid);
    return acl === null || acl.allows(serverName);
  }

  return {
    allows,
    async check(roomNid, serverName) {
      if (await allows(roomNid, serverName)) return;
      throw new MatrixError('M_FORBIDDEN', 'Server is banned from room');
    },
  };
}
