import { FederationError } from '../federation-client/errors.ts';
import type { Questions } from '../federation-client/questions.ts';
import { isServerName } from '../matrix/ids.ts';
import { isJsonObject, type JsonObject } from '../matrix/pdu.ts';
import type { RoomDescription } from './described-room.ts';
import type { ChildRow } from './store/spaces.ts';

/** A room that this server is not in, as another one tells of it. */
export interface RemoteRoom {
  room: RoomDescription;
  /** Its m.space.child events. */
  children: ChildRow[];
  /** Rooms in it that the server has described too, without what is in them. */
  described: ReadonlyMap<string, RoomDescription>;
  /** Rooms in it that are of no use to ask for. */
  inaccessible: ReadonlySet<string>;
}

/** Asks other servers about rooms (server-server spec, getSpaceHierarchy). */
export interface RemoteRooms {
  /** What the first of the servers says that says something; null: none does. */
  find(roomId: string, via: readonly string[]): Promise<RemoteRoom | null>;
}

/** Servers that are asked about one room. */
const serversMax = 3;
/** Children of one space that are looked at. */
const childrenMax = 1_000;
const keptMs = 5 * 60_000;
/** A large space with all its children described. */
const bytesMax = 4 * 1024 * 1024;

const listIn = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const isText = (value: unknown): value is string => typeof value === 'string';

const textKeys = [
  'name',
  'topic',
  'avatar_url',
  'canonical_alias',
  'room_type',
  'room_version',
  'encryption',
] as const;

/** The members of a description that are as specified; null: it names no room. */
function descriptionIn(value: unknown): RoomDescription | null {
  if (!isJsonObject(value) || !isText(value['room_id'])) return null;
  const { room_id: roomId, num_joined_members: joined, join_rule: joinRule } = value;
  const allowed = listIn(value['allowed_room_ids']).filter(isText);
  const room: RoomDescription = {
    room_id: roomId,
    num_joined_members: typeof joined === 'number' ? joined : 0,
    world_readable: value['world_readable'] === true,
    guest_can_join: value['guest_can_join'] === true,
    join_rule: isText(joinRule) ? joinRule : 'public',
    ...(allowed.length > 0 ? { allowed_room_ids: allowed } : {}),
  };
  for (const key of textKeys) {
    const text = value[key];
    if (isText(text)) room[key] = text;
  }
  return room;
}

function childIn(value: unknown): ChildRow[] {
  if (!isJsonObject(value) || value['type'] !== 'm.space.child') return [];
  const { state_key: stateKey, content, sender, origin_server_ts: originServerTs } = value;
  const isWhole = isText(stateKey) && isText(sender) && typeof originServerTs === 'number';
  if (!isWhole || !isJsonObject(content)) return [];
  return [{ stateKey, content: JSON.stringify(content), sender, originServerTs }];
}

function roomIn(answer: JsonObject, roomId: string): RemoteRoom | null {
  const { room, children: told, inaccessible_children: inaccessible } = answer;
  const description = descriptionIn(room);
  if (!isJsonObject(room) || description?.room_id !== roomId) return null;
  const children = listIn(room['children_state']).flatMap(childIn).slice(0, childrenMax);
  // Of rooms that are not in this one nobody has asked it.
  const childIds = new Set(children.map(({ stateKey }) => stateKey));
  const described = listIn(told)
    .flatMap((child) => descriptionIn(child) ?? [])
    .filter((child) => childIds.has(child.room_id));
  return {
    room: description,
    children,
    described: new Map(described.map((child) => [child.room_id, child])),
    inaccessible: new Set(
      listIn(inaccessible)
        .filter(isText)
        .filter((id) => childIds.has(id)),
    ),
  };
}

export function createRemoteRooms(questions: Questions, serverName: string): RemoteRooms {
  return {
    async find(roomId, via) {
      const uri = `/_matrix/federation/v1/hierarchy/${encodeURIComponent(roomId)}`;
      const servers = [...new Set(via)].filter((one) => isServerName(one) && one !== serverName);
      for (const server of servers.slice(0, serversMax)) {
        try {
          // The next is asked only when this one does not know.
          // oxlint-disable-next-line no-await-in-loop
          const found = roomIn(await questions.ask(server, { uri, keptMs, bytesMax }), roomId);
          if (found) return found;
        } catch (error) {
          if (!(error instanceof FederationError)) throw error;
        }
      }
      return null;
    },
  };
}
