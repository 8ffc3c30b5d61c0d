import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import type { AppserviceNetwork } from './appservice-directories.ts';
import { describingTypes, stateContents } from './columns.ts';

export interface PublicRoomRow {
  roomNid: number;
  roomId: string;
  joinedCount: number;
  /** Event type → JSON text of the content of the entry with an empty state key. */
  state: Record<string, string>;
  total: number;
}

const summaryState = stateContents(describingTypes);

const selectPublic = statement<
  [number | null, number | null, number, string | null, (string | null)[] | null, string[] | null],
  PublicRoomRow
>(
  'select_public_rooms',
  `with room as (
     select r.room_nid, r.room_id, r.joined_count, coalesce(${summaryState}, '{}') as state
     from rooms r where not r.is_blocked and r.room_nid in (
       select room_nid from rooms where is_public and ($6::text[] is null or $6 = '{}')
       union select room_nid from appservice_directories
       where $6 = '{}' or (appservice_id = $6[1] and network_id = $6[2]))),
   fitting as (
     select *, count(*) over () as total from room
     where ($4::text is null
         or (state ->> 'm.room.name') ilike $4 or (state ->> 'm.room.topic') ilike $4
         or (state ->> 'm.room.canonical_alias') ilike $4 or room_id ilike $4)
       and ($5::text[] is null
         or coalesce(${readableJson(`state ->> 'm.room.create'`)} ->> 'type', '') = any($5)))
   select room_nid as "roomNid", room_id as "roomId", joined_count as "joinedCount", state, total
   from fitting
   where $1::bigint is null or (joined_count, room_nid) < ($1::bigint, $2::bigint)
   order by joined_count desc, room_nid desc limit $3`,
);

const selectSummary = statement<[number], Omit<PublicRoomRow, 'total'>>(
  'select_room_summary',
  `select r.room_nid as "roomNid", r.room_id as "roomId", r.joined_count as "joinedCount",
     coalesce(${summaryState}, '{}') as state
   from rooms r where r.room_nid = $1`,
);

const selectIsPublic = statement<[string], { roomNid: number; isPublic: boolean }>(
  'select_room_is_public',
  'select room_nid as "roomNid", is_public as "isPublic" from rooms where room_id = $1',
);

const updateIsPublic = statement<[number, boolean], never>(
  'update_room_is_public',
  'update rooms set is_public = $2 where room_nid = $1',
);

/** A place in the list of public rooms: after this room. */
export interface PublicRoomPlace {
  joinedCount: number;
  roomNid: number;
}

/** The room directory. */
export function createDirectoryStore(database: Queryable) {
  return {
    /**
     * Largest first. `pattern`: for `ilike`; `roomTypes`: `''` stands for rooms without a type;
     * `directory`: null for the server's own.
     */
    publicRooms: (
      after: PublicRoomPlace | null,
      limit: number,
      pattern: string | null,
      roomTypes: string[] | null,
      directory: AppserviceNetwork | 'all' | null,
    ) =>
      database.query(selectPublic, [
        after?.joinedCount ?? null,
        after?.roomNid ?? null,
        limit,
        pattern,
        roomTypes,
        directory === 'all' ? [] : directory && [directory.appserviceId, directory.networkId],
      ]),
    async summary(roomNid: number) {
      return (await database.query(selectSummary, [roomNid]))[0] ?? null;
    },
    async find(roomId: string) {
      return (await database.query(selectIsPublic, [roomId]))[0] ?? null;
    },
    async setPublic(roomNid: number, isPublic: boolean): Promise<void> {
      await database.query(updateIsPublic, [roomNid, isPublic]);
    },
  };
}

export type DirectoryStore = ReturnType<typeof createDirectoryStore>;
