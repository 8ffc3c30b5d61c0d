import { defineRole } from '../cluster/role.ts';
import type { Presence, PresenceState } from './streams.ts';
import type { ActiveUser } from './tracker.ts';

type PresenceMethods = {
  /** What a client says of itself. */
  set(args: { user: ActiveUser; state: PresenceState; statusMsg: string | null }): void;
  /** Devices that sync now. */
  seen(args: { syncing: { user: ActiveUser; state: PresenceState }[] }): void;
  noteActivity(args: { user: ActiveUser }): void;
  /** What other servers say of their users. */
  receive(args: { presences: readonly Omit<Presence, 'isLocal'>[] }): void;
};

/** Who decides how present users are, by user. */
export const presenceRole = defineRole<PresenceMethods>('presence', 16);
