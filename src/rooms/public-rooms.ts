import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { RemoteRoomsWish } from './remote-directory.ts';
import type { RoomServices } from './services.ts';
import type { AppserviceNetwork } from './store/appservice-directories.ts';
import type { PublicRoomPlace, PublicRoomRow } from './store/directory.ts';

/** A room as the directory, summaries and space hierarchies show it. */
export interface RoomSummary {
  room_id: string;
  num_joined_members: number;
  world_readable: boolean;
  guest_can_join: boolean;
  join_rule: string;
  name?: string;
  topic?: string;
  avatar_url?: string;
  canonical_alias?: string;
  room_type?: string;
}

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);

/** Only what the room says of itself in well-formed state is shown. */
export function summaryOf(row: Omit<PublicRoomRow, 'total'>): RoomSummary {
  const content = (type: string) =>
    (row.state[type] === undefined ? {} : JSON.parse(row.state[type])) as Record<string, unknown>;
  const summary: RoomSummary = {
    room_id: row.roomId,
    num_joined_members: row.joinedCount,
    world_readable: content('m.room.history_visibility')['history_visibility'] === 'world_readable',
    guest_can_join: content('m.room.guest_access')['guest_access'] === 'can_join',
    join_rule: text(content('m.room.join_rules')['join_rule']) ?? 'invite',
  };
  const shown = {
    name: text(content('m.room.name')['name']),
    topic: text(content('m.room.topic')['topic']),
    avatar_url: text(content('m.room.avatar')['url']),
    canonical_alias: text(content('m.room.canonical_alias')['alias']),
    room_type: text(content('m.room.create')['type']),
  };
  for (const [key, value] of Object.entries(shown)) {
    if (value !== undefined) summary[key as keyof typeof shown] = value;
  }
  return summary;
}

const formatAfter = (row: PublicRoomRow) => `p${row.joinedCount}_${row.roomNid}`;

function parseAfter(token: string | undefined): PublicRoomPlace | null {
  if (token === undefined || token === '') return null;
  const match = /^p(\d{1,15})_(\d{1,16})$/.exec(token);
  if (!match) throw new MatrixError('M_INVALID_PARAM', '`since` is not a token of this server');
  return { joinedCount: Number(match[1]), roomNid: Number(match[2]) };
}

export interface PublicRoomsWish {
  limit?: number | undefined;
  since?: string | undefined;
  searchTerm?: string | undefined;
  roomTypes?: (string | null)[] | undefined;
  /** Default: the server's own. */
  directory?: AppserviceNetwork | 'all' | null;
}

/**
 * Whose directory a search is of: the server's own, that of one network by its `instance_id` in the
 * answer of `/thirdparty/protocols`, or all of them. Throws M_INVALID_PARAM.
 */
export function wantedDirectory(
  isAll: boolean | undefined,
  instanceId: string | null | undefined,
): AppserviceNetwork | 'all' | null {
  if (instanceId === undefined || instanceId === null) return isAll ? 'all' : null;
  if (isAll) {
    const message = '`include_all_networks` and `third_party_instance_id` exclude each other';
    throw new MatrixError('M_INVALID_PARAM', message);
  }
  const bar = instanceId.indexOf('|');
  if (bar === -1) throw new MatrixError('M_INVALID_PARAM', 'Invalid `third_party_instance_id`');
  return { appserviceId: instanceId.slice(0, bar), networkId: instanceId.slice(bar + 1) };
}

/** Rooms on one page. */
export const pageMax = 500;
const pageDefault = 100;

const nothing = { chunk: [], total_room_count_estimate: 0 };

/** A page of the directory, largest rooms first. Source: client-server spec, "Listing rooms". */
export async function publicRooms(services: RoomServices, wish: PublicRoomsWish) {
  if (!services.config.isRoomListSearchEnabled) return nothing;
  const limit = Math.min(Math.max(wish.limit ?? pageDefault, 1), pageMax);
  const term = wish.searchTerm?.trim();
  const pattern = term ? `%${term.replace(/[\\%_]/g, '\\$&')}%` : null;
  const types = wish.roomTypes?.map((type) => type ?? '') ?? null;
  const after = parseAfter(wish.since);
  const rows = await services.directory.publicRooms(
    after,
    limit + 1,
    pattern,
    types,
    wish.directory ?? null,
  );
  const shown = rows.slice(0, limit);
  return {
    chunk: shown.map(summaryOf),
    total_room_count_estimate: rows[0]?.total ?? 0,
    ...(rows.length > limit ? { next_batch: formatAfter(shown.at(-1)!) } : {}),
  };
}

/** A page of the directory of another server. Throws M_FORBIDDEN, M_UNKNOWN (502). */
export async function remotePublicRooms(
  { config, remoteDirectory }: RoomServices,
  serverName: string,
  wish: RemoteRoomsWish,
): Promise<JsonObject> {
  if (!config.isRoomListSearchEnabled) return nothing;
  // A limit of 0 means no limit where it is sent on.
  const limit =
    wish.limit === 0 ? pageMax : Math.min(Math.max(wish.limit ?? pageDefault, 1), pageMax);
  return remoteDirectory.publicRooms(serverName, { ...wish, limit });
}
