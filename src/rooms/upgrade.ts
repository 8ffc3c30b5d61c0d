import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { roomVersion, type RoomVersion } from '../matrix/room-versions.ts';
import { checkedCreators, initialPowerLevels, versionFor } from './create-room.ts';
import { memberContent } from './member-content.ts';
import type { Actor } from './needs.ts';
import type { RoomServices } from './services.ts';
import { contentOf, type StoredEvent } from './stored-event.ts';
import type { ProtoEvent } from './writer/proto-event.ts';

/** What a new room takes over from the old one (client-server spec, "Room upgrades"). */
const carriedTypes = [
  'm.room.server_acl',
  'm.room.encryption',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.guest_access',
  'm.room.history_visibility',
  'm.room.join_rules',
  'm.space.child',
];

function level(value: unknown, byDefault: number): number {
  const number = Number(value ?? byDefault);
  return Number.isFinite(number) ? number : byDefault;
}

/** The level that suffices for everything in a room, and no less than the usual one of creators. */
function highestNeeded(content: JsonObject): number {
  const events = Object.values((content['events'] as JsonObject | undefined) ?? {});
  const others = ['state_default', 'events_default', 'ban', 'kick', 'redact', 'invite'];
  const named = [...events, ...others.map((name) => content[name])];
  return Math.max(100, ...named.map((one) => level(one, 0)));
}

/**
 * Creators are above all levels from version 12 on and may not be listed; `oldCreators` are those
 * who were so in the old room.
 */
function carriedPowerLevels(
  old: JsonObject | undefined,
  version: RoomVersion,
  actor: Actor,
  { creators, oldCreators }: Pick<Carried, 'creators' | 'oldCreators'>,
): JsonObject {
  const content = structuredClone(old ?? initialPowerLevels(version, actor.userId, []));
  const users = { ...(content['users'] as JsonObject | undefined) };
  if (version.privilegedCreators) {
    for (const creator of [actor.userId, ...creators]) delete users[creator];
  } else {
    for (const creator of oldCreators) users[creator] = highestNeeded(content);
  }
  return { ...content, users };
}

const whenTombstoned = (content: JsonObject | undefined): JsonObject => {
  const restricted = Math.max(50, level(content?.['users_default'], 0) + 1);
  return {
    ...content,
    events_default: Math.max(restricted, level(content?.['events_default'], 0)),
    invite: Math.max(restricted, level(content?.['invite'], 0)),
  };
};

/**
 * Replaces a room by one of another version: the new room takes over state, bans, aliases and
 * directory entry; the old one gets a tombstone and is closed. Gives the new room's id.
 * Throws M_FORBIDDEN, M_UNSUPPORTED_ROOM_VERSION.
 */
export async function upgradeRoom(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  wanted: { version: string; additionalCreators: string[] },
): Promise<string> {
  const version = versionFor(wanted.version, wanted.version);
  const access = await services.access.joined(roomId, actor);
  const state = await services.states.state(access.roomNid, null);
  const find = (type: string) =>
    state.find((event) => event.type === type && event.stateKey === '');
  const create = find('m.room.create');
  const powerLevels = find('m.room.power_levels');
  const oldLevels = powerLevels && contentOf(powerLevels);

  const tombstone = (replacement: string, event: string): ProtoEvent => ({
    sender: actor.userId,
    type: 'm.room.tombstone',
    stateKey: '',
    content: { body: event, replacement_room: replacement },
  });
  if (!(await services.writer.allows(roomId, tombstone('', '')))) {
    throw new MatrixError('M_FORBIDDEN', 'You may not upgrade this room');
  }
  const creators = version.privilegedCreators ? checkedCreators(wanted.additionalCreators) : [];
  const carried = await carriedEvents(services, actor, version, {
    state,
    oldLevels,
    creators,
    oldCreators: creatorsOf(access.roomVersion, create),
  });
  const [publicity, aliases, [last]] = await Promise.all([
    services.directory.find(roomId),
    services.aliases.ofRoom(access.roomNid),
    services.timeline.page({ ...newestEvent, roomNid: access.roomNid }),
  ]);
  const createContent: JsonObject = { ...(create && contentOf(create)) };
  for (const key of ['creator', 'room_version', 'additional_creators']) delete createContent[key];
  createContent['predecessor'] = { room_id: roomId, event_id: last!.eventId };
  if (creators.length > 0) createContent['additional_creators'] = creators;
  const newRoomId = await services.create({
    roomVersion: version.id,
    creator: actor.userId,
    createContent,
    events: carried,
    alias: null,
    isPublic: publicity?.isPublic ?? false,
  });

  await services.writer.append({
    roomId,
    events: [tombstone(newRoomId, 'This room has been replaced')],
  });
  await close(services, actor, roomId, oldLevels);
  await moveAliases(services, actor, roomId, newRoomId, aliases, find('m.room.canonical_alias'));
  const members = await services.members.localMembers(access.roomNid);
  await Promise.all(
    members.map(({ userNid }) => services.roomData.carry(userNid, roomId, newRoomId)),
  );
  if (publicity?.isPublic) await services.directory.setPublic(access.roomNid, false);
  return newRoomId;
}

const newestEvent = {
  direction: 'b',
  from: { pos: Number.MAX_SAFE_INTEGER, sub: 0 },
  bound: -1,
  limit: 1,
  match: null,
} as const;

/** Those who are above all levels of a room. */
function creatorsOf(version: string, create: StoredEvent | undefined): string[] {
  if (!create || !roomVersion(version).privilegedCreators) return [];
  const named = contentOf(create)['additional_creators'];
  return [create.sender, ...(Array.isArray(named) ? named.map(String) : [])];
}

/** What of an old room shapes a new one. */
interface Carried {
  state: readonly StoredEvent[];
  oldLevels: JsonObject | undefined;
  /** The additional creators of the new room. */
  creators: readonly string[];
  oldCreators: readonly string[];
}

async function carriedEvents(
  services: RoomServices,
  actor: Actor,
  version: RoomVersion,
  { state, oldLevels, creators, oldCreators }: Carried,
): Promise<ProtoEvent[]> {
  const sender = actor.userId;
  const events: ProtoEvent[] = [
    {
      sender,
      type: 'm.room.member',
      stateKey: sender,
      content: await memberContent(services.profiles, sender, 'join'),
    },
  ];
  const final = carriedPowerLevels(oldLevels, version, actor, { creators, oldCreators });
  // The upgrader may lack the power for some of the state; a new room gives it for a moment.
  const users = { ...(final['users'] as JsonObject | undefined) };
  const own = level(users[sender] ?? final['users_default'], 0);
  const interim = version.privilegedCreators
    ? final
    : { ...final, users: { ...users, [sender]: Math.max(own, highestNeeded(final)) } };
  const levels = (content: JsonObject): ProtoEvent => ({
    sender,
    type: 'm.room.power_levels',
    stateKey: '',
    content,
  });
  events.push(levels(interim));
  for (const event of state) {
    const content = contentOf(event);
    const isCarried =
      carriedTypes.includes(event.type) &&
      (event.type !== 'm.space.child' || Object.keys(content).length > 0);
    const isBan = event.type === 'm.room.member' && content['membership'] === 'ban';
    if (!isCarried && !isBan) continue;
    events.push({ sender, type: event.type, stateKey: event.stateKey!, content });
  }
  if (JSON.stringify(interim) !== JSON.stringify(final)) events.push(levels(final));
  return events;
}

/** Keeps people from going on in the old room; not everybody who may upgrade may do this. */
async function close(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  oldLevels: JsonObject | undefined,
): Promise<void> {
  const event: ProtoEvent = {
    sender: actor.userId,
    type: 'm.room.power_levels',
    stateKey: '',
    content: whenTombstoned(oldLevels),
  };
  if (await services.writer.allows(roomId, event)) {
    await services.writer.append({ roomId, events: [event], skipUnchangedState: true });
  }
}

async function moveAliases(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  newRoomId: string,
  aliases: readonly string[],
  canonical: StoredEvent | undefined,
): Promise<void> {
  if (aliases.length === 0 && !canonical) return;
  const [from, to] = await Promise.all([
    services.directory.find(roomId),
    services.directory.find(newRoomId),
  ]);
  await services.aliases.move(from!.roomNid, to!.roomNid);
  if (!canonical) return;
  const event = (content: JsonObject): ProtoEvent => ({
    sender: actor.userId,
    type: 'm.room.canonical_alias',
    stateKey: '',
    content,
  });
  const content = contentOf(canonical);
  if (await services.writer.allows(roomId, event({}))) {
    await services.writer.append({ roomId, events: [event({})], skipUnchangedState: true });
  }
  if (await services.writer.allows(newRoomId, event(content))) {
    await services.writer.append({ roomId: newRoomId, events: [event(content)] });
  }
}
