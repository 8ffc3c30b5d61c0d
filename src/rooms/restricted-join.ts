import { MatrixError } from '../kernel/errors.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { Pdu } from '../matrix/pdu.ts';
import { parsePowerLevels } from '../matrix/power-levels.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import type { Actor } from './needs.ts';
import { predecessorIn } from './predecessor.ts';
import type { RoomAccess } from './room-access.ts';
import type { RoomServices } from './services.ts';
import { contentOf, type StoredEvent } from './stored-event.ts';

const keys = [
  ['m.room.join_rules', ''],
  ['m.room.power_levels', ''],
  ['m.room.create', ''],
  ['m.room.guest_access', ''],
] as const;

const pduOf = (event: StoredEvent | undefined) =>
  event && ({ sender: event.sender, content: contentOf(event) } as Pdu);

/** The rooms whose members may join, from the content of m.room.join_rules. */
export function roomsAllowed(content: Record<string, unknown>): string[] {
  const allow = content['allow'];
  if (!Array.isArray(allow)) return [];
  return allow
    .filter(
      (rule): rule is { room_id: string } =>
        typeof rule === 'object' &&
        rule !== null &&
        'type' in rule &&
        rule.type === 'm.room_membership' &&
        'room_id' in rule &&
        typeof rule.room_id === 'string',
    )
    .map((rule) => rule.room_id);
}

type Entries = readonly (StoredEvent | undefined)[];

async function entriesOf({ states }: RoomServices, roomNid: number): Promise<Entries> {
  const events = await states.entries(roomNid, keys);
  return keys.map(([type]) => events.find((event) => event.type === type));
}

/** The rooms whose members may join; null: that is not how one comes in. */
function allowedBy([joinRules]: Entries): string[] | null {
  const rules = joinRules && contentOf(joinRules);
  const rule = rules?.['join_rule'];
  return rule === 'restricted' || rule === 'knock_restricted' ? roomsAllowed(rules!) : null;
}

/** A joined user of this server who may invite. Throws M_UNABLE_TO_GRANT_JOIN. */
async function findAuthoriser(
  services: RoomServices,
  room: { roomNid: number; roomVersion: string },
  [, powerLevels, create]: Entries,
): Promise<string> {
  const version = roomVersion(room.roomVersion);
  const levels = parsePowerLevels(version, pduOf(powerLevels), pduOf(create)!);
  const needed = levels.required('invite');
  const named = powerLevels ? contentOf(powerLevels)['users'] : undefined;
  const users = typeof named === 'object' && named !== null ? Object.keys(named) : [];
  const creators = contentOf(create!)['additional_creators'];
  if (Array.isArray(creators)) users.push(...creators.map(String));
  const candidates = [...users, create!.sender].filter(
    (id) => serverNameOf(id) === services.config.serverName && levels.userLevel(id) >= needed,
  );
  const anyone = levels.userLevel('') >= needed;
  const found =
    (await services.members.localMemberAmong(room.roomNid, candidates, false)) ??
    (anyone ? await services.members.localMemberAmong(room.roomNid, [], true) : null);
  if (found !== null) return found;
  throw new MatrixError(
    'M_UNABLE_TO_GRANT_JOIN',
    'No user of this server in the room may invite, so nobody here can let you in',
  );
}

const notAllowed = () =>
  new MatrixError(
    'M_FORBIDDEN',
    'You do not belong to any of the required rooms/spaces to join this room.',
  );

/**
 * What joining needs beside the membership: for a restricted room the member who vouches for the
 * user, else null; and the id of the room that this one replaces, if it does. Throws M_FORBIDDEN when
 * the user is in none of the allowed rooms, M_GUEST_ACCESS_FORBIDDEN, M_UNABLE_TO_GRANT_JOIN.
 * Source: client-server spec, "Restricted rooms"; MSC3083.
 */
export async function examineJoin(
  services: RoomServices,
  access: RoomAccess,
  actor: Actor,
): Promise<{ authoriser: string | null; predecessor: string | null }> {
  const entries = await entriesOf(services, access.roomNid);
  const [, , create, guestAccess] = entries;
  if (actor.isGuest && (!guestAccess || contentOf(guestAccess)['guest_access'] !== 'can_join')) {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guest access not allowed');
  }
  const predecessor = predecessorIn(create && contentOf(create));
  const isIn = access.membership === 'join' || access.membership === 'invite';
  const allowed = isIn ? null : allowedBy(entries);
  if (!allowed) return { authoriser: null, predecessor };
  const joined = await services.members.joinedAmong(actor.userNid, allowed);
  if (joined.length === 0) throw notAllowed();
  return { authoriser: await findAuthoriser(services, access, entries), predecessor };
}

/**
 * The member of this server who vouches for a user of another server that joins; null: nobody has to.
 * Throws M_FORBIDDEN, M_UNABLE_TO_GRANT_JOIN, and M_UNABLE_TO_AUTHORISE_JOIN where this server does not
 * know whether the user is in an allowed room. Source: server-server spec, "Restricted rooms".
 */
export async function authoriserForOther(
  services: RoomServices,
  room: { roomNid: number; roomId: string; roomVersion: string },
  userId: string,
): Promise<string | null> {
  const { members, interned } = services;
  const [entries, userNid] = await Promise.all([
    entriesOf(services, room.roomNid),
    interned.find(userId),
  ]);
  const allowed = allowedBy(entries);
  if (!allowed) return null;
  if (userNid !== null) {
    const access = await members.access(room.roomId, userNid);
    if (access?.membership === 'join' || access?.membership === 'invite') return null;
    const joined = await members.joinedAmong(userNid, allowed);
    if (joined.length > 0) return findAuthoriser(services, room, entries);
  }
  const known = await members.residentAmong(allowed);
  if (known.length === allowed.length) throw notAllowed();
  throw new MatrixError(
    'M_UNABLE_TO_AUTHORISE_JOIN',
    'This server is not in all of the rooms whose members may join',
  );
}
