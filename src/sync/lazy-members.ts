import { boundedCache } from '../kernel/bounded-cache.ts';

/** Devices whose sent members are remembered; a forgotten device gets some members twice. */
const devicesMax = 20_000;
/** Pairs of room and member remembered for a device. */
const pairsMax = 10_000;

/** Which members a device has been sent already (client-server spec, "Lazy-loading room members"). */
export interface LazyMembers {
  /** Those of the users whom the device does not know yet in this room; they count as sent. */
  unsent(roomNid: number, userIds: ReadonlySet<string>, isNewRoom: boolean): string[];
}

export interface LazyMemberMemory {
  /**
   * `goesOn`: the client goes on from an answer of this process. One that begins anew knows nobody,
   * and may have done so at another process since it was here.
   */
  of(device: string, options: { goesOn: boolean; sendsRedundant: boolean }): LazyMembers;
}

const redundant: LazyMembers = { unsent: (_room, userIds) => [...userIds] };

export function createLazyMemberMemory(): LazyMemberMemory {
  const devices = boundedCache<string, Map<number, Set<string>>>(devicesMax);

  return {
    of(device, { goesOn, sendsRedundant }) {
      if (sendsRedundant) return redundant;
      let rooms = devices.get(device);
      if (!rooms || !goesOn) {
        rooms = new Map();
        devices.set(device, rooms);
      }
      const known = rooms;
      return {
        unsent(roomNid, userIds, isNewRoom) {
          let sent = isNewRoom ? undefined : known.get(roomNid);
          if (!sent) known.set(roomNid, (sent = new Set()));
          const fresh: string[] = [];
          for (const userId of userIds) {
            if (sent.has(userId)) continue;
            if (sent.size < pairsMax) sent.add(userId);
            fresh.push(userId);
          }
          return fresh;
        },
      };
    },
  };
}
