import { MatrixError } from '../kernel/errors.ts';
import { inGroups } from '../kernel/in-groups.ts';
import { isUserId, localpartOf, serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { roomVersion, isKnownRoomVersion, type RoomVersion } from '../matrix/room-versions.ts';
import { checkAliasAllowed, checkAliasFree, checkPublicationAllowed } from './directory-rules.ts';
import { checkActorMayInvite } from './invite-checks.ts';
import { memberContent } from './member-content.ts';
import type { Actor } from './needs.ts';
import { predecessorIn } from './predecessor.ts';
import type { RoomServices } from './services.ts';
import type { ProtoEvent } from './writer/proto-event.ts';

/** The body of `POST /createRoom`; see its endpoint for the meaning of the members. */
export interface CreateRoomWish {
  visibility?: 'public' | 'private';
  room_alias_name?: string;
  name?: string;
  topic?: string;
  invite?: string[];
  invite_3pid?: { medium: string; address: string; id_server: string; id_access_token: string }[];
  room_version?: string;
  creation_content?: JsonObject;
  initial_state?: { type: string; state_key?: string; content: JsonObject }[];
  preset?: 'private_chat' | 'public_chat' | 'trusted_private_chat';
  is_direct?: boolean;
  power_level_content_override?: JsonObject;
}

interface Preset {
  joinRule: string;
  historyVisibility: string;
  guestAccess: string;
  trustsInvitees: boolean;
  /** The power that inviting needs. */
  inviteLevel: number;
}

const presets: Record<NonNullable<CreateRoomWish['preset']>, Preset> = {
  private_chat: {
    joinRule: 'invite',
    historyVisibility: 'shared',
    guestAccess: 'can_join',
    trustsInvitees: false,
    inviteLevel: 0,
  },
  trusted_private_chat: {
    joinRule: 'invite',
    historyVisibility: 'shared',
    guestAccess: 'can_join',
    trustsInvitees: true,
    inviteLevel: 0,
  },
  public_chat: {
    joinRule: 'public',
    historyVisibility: 'shared',
    guestAccess: 'forbidden',
    trustsInvitees: false,
    inviteLevel: 50,
  },
};

/** Each invite is an event to be written with the room. */
const invitesMax = 500;

/** The version a room is made in. Throws M_UNSUPPORTED_ROOM_VERSION. */
export function versionFor(wanted: string | undefined, byDefault: string): RoomVersion {
  const id = wanted ?? byDefault;
  if (!isKnownRoomVersion(id)) {
    throw new MatrixError(
      'M_UNSUPPORTED_ROOM_VERSION',
      `This server does not support room version ${id}`,
    );
  }
  return roomVersion(id);
}

/** Power levels of a new room: the creator may do all, others what is usual. */
export function initialPowerLevels(
  version: RoomVersion,
  creator: string,
  trusted: readonly string[],
): JsonObject {
  const users: JsonObject = {};
  if (!version.privilegedCreators) {
    users[creator] = 100;
    for (const userId of trusted) users[userId] = 100;
  }
  return {
    users,
    users_default: 0,
    events: {
      'm.room.name': 50,
      'm.room.power_levels': 100,
      'm.room.history_visibility': 100,
      'm.room.canonical_alias': 50,
      'm.room.avatar': 50,
      'm.room.tombstone': version.privilegedCreators ? 150 : 100,
      'm.room.server_acl': 100,
      'm.room.encryption': 100,
    },
    events_default: 0,
    state_default: 50,
    ban: 50,
    kick: 50,
    redact: 50,
    invite: 0,
    historical: 100,
  };
}

/** Content of m.room.topic with its rich form (client-server spec, "m.room.topic"). */
export const topicContent = (topic: string): JsonObject => ({
  topic,
  'm.topic': { 'm.text': [{ body: topic }] },
});

function checkInvitees(wish: CreateRoomWish): string[] {
  const invitees = [...new Set(wish.invite)];
  if (invitees.length + (wish.invite_3pid?.length ?? 0) > invitesMax) {
    throw new MatrixError('M_INVALID_PARAM', `At most ${invitesMax} users can be invited at once`);
  }
  for (const userId of invitees) {
    if (!isUserId(userId)) {
      throw new MatrixError('M_INVALID_PARAM', `Invalid user id in invite: ${userId}`);
    }
  }
  return invitees;
}

/** The full alias for a wanted localpart. Throws M_INVALID_PARAM. */
function aliasFor(name: string, serverName: string): string {
  if (name === '' || /[\s:\0]/.test(name)) {
    throw new MatrixError('M_INVALID_PARAM', 'Invalid characters in room alias');
  }
  const alias = `#${name}:${serverName}`;
  const aliasBytesMax = 255;
  if (Buffer.byteLength(alias) > aliasBytesMax) {
    throw new MatrixError('M_INVALID_PARAM', `Room alias longer than ${aliasBytesMax} bytes`);
  }
  return alias;
}

/** Throws M_BAD_JSON unless it is a list of user ids. */
export function checkedCreators(named: unknown): string[] {
  if (Array.isArray(named) && named.every((id) => typeof id === 'string' && isUserId(id))) {
    return named as string[];
  }
  throw new MatrixError('M_BAD_JSON', 'additional_creators must be a list of user ids');
}

function createContentOf(
  wish: CreateRoomWish,
  version: RoomVersion,
  actor: Actor,
  trusted: readonly string[],
): JsonObject {
  const content: JsonObject = { ...wish.creation_content };
  delete content['creator'];
  delete content['room_version'];
  if (!version.privilegedCreators) return content;
  const named = checkedCreators(content['additional_creators'] ?? []);
  const creators = new Set([...named, ...trusted]);
  creators.delete(actor.userId);
  if (creators.size > 0) content['additional_creators'] = [...creators];
  return content;
}

/** State of the preset and the wish that the wish's `initial_state` does not set itself. */
function presetState(
  wish: CreateRoomWish,
  preset: Preset,
  alias: string | null,
  isEncrypted: boolean,
): ProtoEvent[] {
  const set = new Set(
    wish.initial_state?.filter((entry) => (entry.state_key ?? '') === '').map(({ type }) => type),
  );
  const wanted: [string, JsonObject][] = [];
  if (alias !== null) wanted.push(['m.room.canonical_alias', { alias }]);
  wanted.push(
    ['m.room.join_rules', { join_rule: preset.joinRule }],
    ['m.room.history_visibility', { history_visibility: preset.historyVisibility }],
  );
  if (preset.guestAccess !== 'forbidden') {
    wanted.push(['m.room.guest_access', { guest_access: preset.guestAccess }]);
  }
  if (isEncrypted) wanted.push(['m.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' }]);
  return wanted
    .filter(([type]) => !set.has(type))
    .map(([type, content]) => ({ sender: '', type, stateKey: '', content }));
}

/**
 * Makes a room as a client wishes it; gives its id. The room, its state, alias and invites come
 * into being together. Source: client-server spec, "Creation". Throws `MatrixError`.
 */
export async function createRoom(
  services: RoomServices,
  actor: Actor,
  wish: CreateRoomWish,
): Promise<string> {
  const { config, profiles } = services;
  const version = versionFor(wish.room_version, config.defaultRoomVersion);
  const isPublic = wish.visibility === 'public';
  const presetName = wish.preset ?? (isPublic ? 'public_chat' : 'private_chat');
  const preset = presets[presetName];
  const invitees = checkInvitees(wish);
  await checkActorMayInvite(services, actor, invitees);
  const alias =
    wish.room_alias_name === undefined ? null : aliasFor(wish.room_alias_name, config.serverName);
  if (alias !== null) await checkAlias(services, actor, alias);
  if (isPublic) checkPublicationAllowed(config, actor, '', alias === null ? [] : [alias]);

  const trusted = preset.trustsInvitees ? invitees : [];
  const powerLevels = {
    ...initialPowerLevels(version, actor.userId, trusted),
    invite: preset.inviteLevel,
    ...wish.power_level_content_override,
  };
  const direct: JsonObject = wish.is_direct ? { is_direct: true } : {};
  const isOwn = (userId: string) => serverNameOf(userId) === config.serverName;
  const invites = invitees.filter(isOwn).map(async (userId) => {
    const content = await memberContent(profiles, userId, 'invite', direct);
    return { type: 'm.room.member', stateKey: userId, content };
  });
  const [joinContent, ...inviteEvents] = await Promise.all([
    memberContent(profiles, actor.userId, 'join', direct),
    ...invites,
  ]);
  const events: Omit<ProtoEvent, 'sender'>[] = [
    { type: 'm.room.member', stateKey: actor.userId, content: joinContent },
    { type: 'm.room.power_levels', stateKey: '', content: powerLevels },
    ...presetState(wish, preset, alias, config.encryptedPresets.includes(presetName)),
    ...(wish.initial_state ?? [])
      .filter((entry) => entry.type !== 'm.room.create')
      .map((entry) => ({
        type: entry.type,
        stateKey: entry.state_key ?? '',
        content: entry.content,
      })),
  ];
  if (wish.name !== undefined && wish.name !== '') {
    events.push({ type: 'm.room.name', stateKey: '', content: { name: wish.name } });
  }
  if (wish.topic !== undefined && wish.topic !== '') {
    events.push({ type: 'm.room.topic', stateKey: '', content: topicContent(wish.topic) });
  }
  events.push(...inviteEvents);
  const createContent = createContentOf(wish, version, actor, trusted);
  const roomId = await services
    .create({
      roomVersion: version.id,
      creator: actor.userId,
      createContent,
      events: events.map((event) => ({ ...event, sender: actor.userId })),
      alias,
      isPublic,
    })
    .catch((error: unknown) => {
      if (!(error instanceof MatrixError) || error.code !== 'M_FORBIDDEN') throw error;
      // The creator may all; what is refused is a state that there cannot be.
      throw new MatrixError('M_INVALID_ROOM_STATE', error.message, { cause: error });
    });
  const predecessor = predecessorIn(createContent);
  if (predecessor !== null) await services.roomData.carry(actor.userNid, predecessor, roomId);
  const others = invitees.filter((userId) => !isOwn(userId));
  await inviteOthers(services, actor, roomId, others, { ...direct, membership: 'invite' });
  for (const { medium, address, id_server, id_access_token } of wish.invite_3pid ?? []) {
    const invite = { medium, address, idServer: id_server, idAccessToken: id_access_token };
    // One after the other: identity servers limit how often they are asked.
    // oxlint-disable-next-line no-await-in-loop
    await services.inviteByThreepid(actor, roomId, invite);
  }
  return roomId;
}

/** Servers that are asked at once to sign invites. */
const askedAtOnce = 10;

/** Invites users of other servers to a new room. Throws for the first that fails, after all of them. */
async function inviteOthers(
  { elsewhere }: RoomServices,
  actor: Actor,
  roomId: string,
  userIds: readonly string[],
  content: JsonObject,
): Promise<void> {
  const failures = await inGroups(userIds, askedAtOnce, (userId) =>
    elsewhere.invite(actor, roomId, userId, content).then(
      () => null,
      (error: unknown) => ({ error }),
    ),
  );
  const failure = failures.find((each) => each !== null);
  if (failure) throw failure.error;
}

async function checkAlias(services: RoomServices, actor: Actor, alias: string) {
  checkAliasFree(services.appserviceAliases, actor, alias);
  checkAliasAllowed(services.config, actor, alias, '');
  if (await services.aliases.find(alias)) {
    throw new MatrixError('M_ROOM_IN_USE', `Room alias already taken: ${localpartOf(alias)}`);
  }
}
