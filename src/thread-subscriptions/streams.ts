import { defineStream } from '../streams/define-stream.ts';

/** Whether a user subscribes to a thread. */
export interface ThreadSubscription {
  roomNid: number;
  roomId: string;
  /** Event id of the thread's root. */
  threadId: string;
  isSubscribed: boolean;
  /** The user's client has decided it. */
  isAutomatic: boolean;
  /** Since where in the timeline `isSubscribed` holds. */
  sincePos: number;
}

export interface ThreadSubscriptionRow extends ThreadSubscription {
  userNid: number;
}

export const threadSubscriptionStream = defineStream<ThreadSubscriptionRow>({
  name: 'thread_subscriptions',
  durable: true,
  shardedBy: 'user',
});
