import type { AccountServices } from '../accounts/module.ts';
import { shardOf } from '../cluster/role.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import type { PusherRow, WantedPusher, PusherStore } from './store/pushers.ts';
import { pusherRole, pusherStream } from './streams.ts';

/** Who sets a pusher, and with what. */
export interface PusherOwner {
  userNid: number;
  userId: string;
  tokenNid: number | null;
  deviceNid: number | null;
}

/** The pushers of users. */
export interface Pushers {
  of(userNid: number): Promise<PusherRow[]>;
  /** `append`: others may go on with the same pushkey of the same app. */
  set(owner: PusherOwner, settings: WantedPusher, append: boolean): Promise<void>;
  remove(userNid: number, appId: string, pushkey: string): Promise<void>;
  removeOfDevices(userNid: number, deviceNids: number[]): Promise<void>;
  removeAll(userNid: number): Promise<void>;
  /** The address as the account has it; null: it is not the account's. */
  mailAddress(userNid: number, address: string): Promise<string | null>;
}

export interface PushersNeeds {
  store: PusherStore;
  bus: Bus;
  clock: Clock;
  threepids(): Pick<AccountServices['threepids'], 'of'>;
}

export function createPushers({ store, bus, clock, threepids }: PushersNeeds): Pushers {
  function tell(users: readonly { userNid: number; userId: string }[]): void {
    for (const { userNid, userId } of users) {
      const row = { userNid, userId };
      bus.publish([{ stream: pusherStream, pos: bus.nextEphemeral(), row }]);
    }
  }
  return {
    of: (userNid) => store.ofUser(userNid),
    async set(owner, settings, append) {
      const { userNid, userId, tokenNid, deviceNid } = owner;
      if (!append) tell(await store.deleteOfOthers(userNid, settings.appId, settings.pushkey));
      const shard = shardOf(pusherRole, userId);
      await store.set({ userNid, shard, tokenNid, deviceNid, createdTs: clock.now() }, settings);
      tell([owner]);
    },
    async remove(userNid, appId, pushkey) {
      tell(await store.delete(userNid, appId, pushkey));
    },
    async removeOfDevices(userNid, deviceNids) {
      tell(await store.deleteOfDevices(userNid, deviceNids));
    },
    async removeAll(userNid) {
      tell(await store.deleteAll(userNid));
    },
    async mailAddress(userNid, address) {
      const wanted = address.trim().toLowerCase();
      const all = await threepids().of(userNid);
      return all.find((one) => one.medium === 'email' && one.address === wanted)?.address ?? null;
    },
  };
}
