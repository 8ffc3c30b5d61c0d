import type { Clock } from '../kernel/clock.ts';
import type { Sending } from './commit-messages.ts';

/** Messages for users of another server: user id → device id or `*` → content. */
export interface RemoteMessages {
  senderId: string;
  type: string;
  messages: Record<string, Record<string, unknown>>;
}

export interface ToDeviceServices {
  clock: Clock;
  serverName: string;
  /** The numbers of those of the users who are known here. */
  userNidsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Puts messages into the inboxes; once, however often the transaction comes. */
  deliver(sending: Sending): Promise<void>;
  /** Hands messages to the senders to other servers. */
  sendToServers(messages: RemoteMessages): Promise<void>;
}
