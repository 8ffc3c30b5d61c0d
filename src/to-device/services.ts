import type { Clock } from '../kernel/clock.ts';
import type { Sending } from './commit-messages.ts';

export interface ToDeviceServices {
  clock: Clock;
  serverName: string;
  /** The numbers of those of the users who are known here. */
  userNidsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Whether messages may be sent to a server. */
  mayContact(serverName: string): boolean;
  /**
   * Puts messages into the inboxes and the outbox; once, however often the transaction comes.
   */
  deliver(sending: Sending): Promise<void>;
}
