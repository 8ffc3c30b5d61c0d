import type { Clock } from '../kernel/clock.ts';
import type { JsonValue } from '../matrix/pdu.ts';
import { isPresenceState, type Presence, type PresenceModule } from '../presence/module.ts';
import { presencesMax, statusLengthMax } from './limits.ts';
import { objectIn, ownUserIn, textIn, timeIn, type EduHandler } from './reading.ts';
import type { RemoteUserStore } from './store/remote-users.ts';

type Shown = Omit<Presence, 'userNid' | 'isLocal'>;

/** Null: it is none, or not of a user of the server. */
function presenceIn(entry: JsonValue, origin: string, now: number): Shown | null {
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

/** `m.presence`: how present users of another server are. Of those who share no room nothing is kept. */
export function createPresenceHandler(
  users: Pick<RemoteUserStore, 'sharing'>,
  receive: PresenceModule['receive'],
  clock: Clock,
): EduHandler {
  return async (origin, { push }) => {
    if (!Array.isArray(push)) return;
    const now = clock.now();
    const shown = new Map<string, Shown>();
    for (const entry of push.slice(0, presencesMax)) {
      const presence = presenceIn(entry, origin, now);
      if (presence) shown.set(presence.userId, presence);
    }
    if (shown.size === 0) return;
    const sharing = await users.sharing([...shown.keys()]);
    if (sharing.length === 0) return;
    await receive(sharing.map(({ userId, userNid }) => ({ ...shown.get(userId)!, userNid })));
  };
}
