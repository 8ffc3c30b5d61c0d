import type { AccountSubscriber } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import { changesPage, type ChangesPage } from './changes.ts';
import { getThreadSubscriptions } from './endpoints/changes.ts';
import { subscriptionEndpoints } from './endpoints/subscription.ts';
import { createThreadSubscriptionStore } from './store/thread-subscriptions.ts';
import {
  threadSubscriptionStream,
  type ThreadSubscription,
  type ThreadSubscriptionRow,
} from './streams.ts';

export { threadSubscriptionStream } from './streams.ts';
export type { ThreadSubscription, ThreadSubscriptionRow } from './streams.ts';
export type { ChangesPage } from './changes.ts';
export { ThreadSubscribers } from './thread-subscribers.ts';

export interface ThreadSubscriptionsNeeds {
  database: Database;
  committer: Committer;
  bus: Bus;
  rooms: RoomServices;
  /** The durable position in a `pos` of sliding sync; null: it is none. */
  parsePos(text: string): number | null;
}

export interface ThreadSubscriptions {
  endpoints: Endpoint[];
  /** What a user subscribes to in rooms; one query. */
  inRooms(userNid: number, roomNids: number[]): Promise<ThreadSubscription[]>;
  /** What users subscribe to in rooms; one query. */
  ofUsers(userNids: number[], roomNids: number[]): Promise<ThreadSubscriptionRow[]>;
  /** A user's newest changes after a position, up to another and including it. */
  changes(
    userNid: number,
    range: { afterPos: number; uptoPos: number; limit: number },
  ): Promise<ChangesPage>;
  /** Deactivated accounts keep nothing. */
  accountEvents: AccountSubscriber;
}

/** Threads that users subscribe to, or no longer (MSC4306, MSC4308). */
export function createThreadSubscriptions(needs: ThreadSubscriptionsNeeds): ThreadSubscriptions {
  const { database, committer, bus, rooms, parsePos } = needs;
  const store = createThreadSubscriptionStore(database);
  bus.recoverWith(threadSubscriptionStream, async (afterPos, uptoPos) => {
    const rows = await store.stream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });
  return {
    endpoints: [
      ...bindEndpoints(subscriptionEndpoints, { rooms, committer, store }),
      ...bindEndpoints([getThreadSubscriptions], { store, parsePos }),
    ],
    inRooms: store.inRooms,
    ofUsers: store.ofUsers,
    changes: (userNid, range) => changesPage(store, userNid, range),
    accountEvents: {
      async deactivated({ userNid }) {
        await store.deleteAll(userNid);
      },
    },
  };
}
