import type { Clock } from '../kernel/clock.ts';
import type { JsonValue } from '../matrix/pdu.ts';
import { isPresenceState, type PresenceModule } from '../presence/module.ts';
import type { EarlyPresence, RemotePresence } from './early-presence.ts';
import { presencesMax, statusLengthMax } from './limits.ts';
import { objectIn, ownUserIn, textIn, timeIn, type EduHandler } from './reading.ts';
import type { RemoteUserStore } from './store/remote-users.ts';

/** Null: it is none, or not of a user of the server. */
function presenceIn(entry: JsonValue, origin: string, now: number): RemotePresence | null {
  const said = objectIn(entry) ?? {};
  const userId = ownUserIn(said['user_id'], origin);
  const state = said['presence'];
  if (userId === null || !isPresenceState(state)) return null;
  const ago = timeIn(said['last_active_ago']);
  return {
    userId,
    state,
    lastActiveTs: ago === null ? null : Math.max(0, now - ago),
    statusMsg: textIn(said['status_msg'], statusLengthMax),
    isCurrentlyActive: state === 'online' && said['currently_active'] === true,
  };
}

/** `m.presence`: how present users of another server are, of those who share a room or will do so soon. */
export function createPresenceHandler(
  users: Pick<RemoteUserStore, 'sharing'>,
  receive: PresenceModule['receive'],
  early: EarlyPresence,
  clock: Clock,
): EduHandler {
  return async (origin, { push }) => {
    if (!Array.isArray(push)) return;
    const now = clock.now();
    const shown = new Map<string, RemotePresence>();
    for (const entry of push.slice(0, presencesMax)) {
      const presence = presenceIn(entry, origin, now);
      if (presence) shown.set(presence.userId, presence);
    }
    if (shown.size === 0) return;
    // Before it is asked who shares a room: that may become so meanwhile.
    for (const presence of shown.values()) early.keep(presence);
    const sharing = await users.sharing([...shown.keys()]);
    if (sharing.length === 0) return;
    for (const { userId } of sharing) early.forget(userId);
    await receive(sharing.map(({ userId, userNid }) => ({ ...shown.get(userId)!, userNid })));
  };
}
