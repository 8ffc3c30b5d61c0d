import type { Bus } from '../streams/bus.ts';
import type { AliasStore } from './store/aliases.ts';
import { aliasStream } from './streams.ts';

/** Aliases whose changes every process hears of. */
export function announcedAliases(store: AliasStore, bus: Bus): AliasStore {
  async function tell(roomNids: number[]): Promise<void> {
    if (roomNids.length === 0) return;
    bus.publish([{ stream: aliasStream, pos: bus.nextEphemeral(), row: { roomNids } }]);
    await bus.delivered();
  }
  return {
    ...store,
    async add(alias, roomNid, creatorNid) {
      const isNew = await store.add(alias, roomNid, creatorNid);
      if (isNew) await tell([roomNid]);
      return isNew;
    },
    async remove(alias) {
      const roomNids = await store.remove(alias);
      await tell(roomNids);
      return roomNids;
    },
    async move(fromNid, toNid) {
      await store.move(fromNid, toNid);
      await tell([fromNid, toNid]);
    },
  };
}
