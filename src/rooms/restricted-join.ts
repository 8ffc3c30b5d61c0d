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

/** Users with the power to invite, and so to vouch for whoever joins. */
interface Inviters {
  named: string[];
  /** Everybody else in the room may as well, */
  others: boolean;
  /** but for these. */
  except: string[];
}

function invitersIn(roomVersionId: string, [, powerLevels, create]: Entries): Inviters {
  const version = roomVersion(roomVersionId);
  const levels = parsePowerLevels(version, pduOf(powerLevels), pduOf(create)!);
  const needed = levels.required('invite');
  const users = powerLevels ? contentOf(powerLevels)['users'] : undefined;
  const creators = contentOf(create!)['additional_creators'];
  const known = [
    ...Object.keys(typeof users === 'object' && users !== null ? users : {}),
    ...(Array.isArray(creators) ? creators.map(String) : []),
    create!.sender,
  ];
  const mayInvite = (userId: string) => levels.userLevel(userId) >= needed;
  return {
    named: known.filter(mayInvite),
    except: known.filter((userId) => !mayInvite(userId)),
    others: mayInvite(''),
  };
}

/** A joined user of this server who may invite; null: there is none. */
async function findAuthoriser(
  { members, config }: RoomServices,
  roomNid: number,
  { named, others, except }: Inviters,
): Promise<string | null> {
  const own = named.filter((userId) => serverNameOf(userId) === config.serverName);
  const found = own.length > 0 ? await members.localMemberAmong(roomNid, own) : null;
  return found ?? (others ? members.localMemberExcept(roomNid, except) : null);
}

/** Other servers in the room whose users may invite. */
async function serversOf(
  { servers }: RoomServices,
  roomNid: number,
  { named, others }: Inviters,
): Promise<string[]> {
  const joined = [...(await servers.joined([roomNid])).get(roomNid)!.keys()];
  const able = new Set(named.map(serverNameOf));
  return joined.filter((serverName) => others || able.has(serverName));
}

const unableToGrant = () =>
  new MatrixError(
    'M_UNABLE_TO_GRANT_JOIN',
    'No user of this server in the room may invite, so nobody here can let you in',
  );

const notAllowed = () =>
  new MatrixError(
    'M_FORBIDDEN',
    'You do not belong to any of the required rooms/spaces to join this room.',
  );

/** What joining a room needs beside the membership. */
export interface JoinNeeds {
  /** The member who vouches for the user; null: nobody has to, or nobody here may. */
  authoriser: string | null;
  /** Servers whose users may vouch; null: the join needs none of them. */
  vouchingServers: string[] | null;
  /** The room that this one replaces. */
  predecessor: string | null;
}

/**
 * What a user's joining of a room needs that this server is in. Throws M_FORBIDDEN when the user is in
 * none of the allowed rooms, M_GUEST_ACCESS_FORBIDDEN, and M_UNABLE_TO_GRANT_JOIN when nobody at all
 * may vouch. Source: client-server spec, "Restricted rooms"; MSC3083.
 */
export async function examineJoin(
  services: RoomServices,
  access: RoomAccess,
  actor: Actor,
): Promise<JoinNeeds> {
  const { roomNid } = access;
  const entries = await entriesOf(services, roomNid);
  const [, , create, guestAccess] = entries;
  if (actor.isGuest && (!guestAccess || contentOf(guestAccess)['guest_access'] !== 'can_join')) {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guest access not allowed');
  }
  const predecessor = predecessorIn(create && contentOf(create));
  const isIn = access.membership === 'join' || access.membership === 'invite';
  const allowed = isIn ? null : allowedBy(entries);
  if (!allowed) return { authoriser: null, vouchingServers: null, predecessor };
  const joined = await services.members.joinedAmong(actor.userNid, allowed);
  if (joined.length === 0) throw notAllowed();
  const inviters = invitersIn(access.roomVersion, entries);
  const authoriser = await findAuthoriser(services, roomNid, inviters);
  if (authoriser !== null) return { authoriser, vouchingServers: null, predecessor };
  const vouchingServers = await serversOf(services, roomNid, inviters);
  if (vouchingServers.length === 0) throw unableToGrant();
  return { authoriser, vouchingServers, predecessor };
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
    if (joined.length > 0) {
      const inviters = invitersIn(room.roomVersion, entries);
      const authoriser = await findAuthoriser(services, room.roomNid, inviters);
      if (authoriser === null) throw unableToGrant();
      return authoriser;
    }
  }
  const known = await members.residentAmong(allowed);
  if (known.length === new Set(allowed).size) throw notAllowed();
  throw new MatrixError(
    'M_UNABLE_TO_AUTHORISE_JOIN',
    'This server is not in all of the rooms whose members may join',
  );
}
