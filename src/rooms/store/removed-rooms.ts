import type { BatchItem, Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const selectHasLocal = statement<[roomNid: number], { hasLocal: boolean }>(
  'select_has_local_members',
  `select exists (select from memberships
     where room_nid = $1 and membership = 'join' and is_local) as "hasLocal"`,
);

// What is found by user goes with the room, so that nobody comes upon a room that is not there.
const removeRoom = statement<[roomNid: number, nowTs: number], { pos: number }>(
  'remove_room',
  `with input as materialized (select nextval('stream_position') as pos),
   gone as (delete from rooms where room_nid = $1 returning room_nid, room_id),
   noted as (
     insert into removed_rooms (room_nid, room_id, pos, removed_ts, local_nids)
       select gone.room_nid, gone.room_id, input.pos, $2,
         array(select user_nid from memberships where room_nid = $1 and is_local)
       from gone, input),
   members as (delete from memberships where room_nid = $1 and is_local),
   aliases as (delete from room_aliases where room_nid = $1)
   select pos from input`,
);

export const removeRoomItem = (roomNid: number, nowTs: number): BatchItem => ({
  statement: removeRoom as never,
  params: [roomNid, nowTs],
});

export interface RemovedRow {
  roomNid: number;
  roomId: string;
  pos: number;
}

const columns = 'room_nid as "roomNid", room_id as "roomId", pos';

const selectByPosition = statement<[afterPos: number, uptoPos: number], RemovedRow>(
  'select_removed_rooms_by_position',
  `select ${columns} from removed_rooms where pos > $1 and pos <= $2 order by pos`,
);

const selectUnpurged = statement<[roomId: string], RemovedRow>(
  'select_unpurged_rooms',
  `select ${columns} from removed_rooms where room_id = $1 and purged_ts is null order by pos`,
);

const selectOld = statement<[beforeTs: number, limit: number], RemovedRow>(
  'select_old_removed_rooms',
  `select ${columns} from removed_rooms where purged_ts < $1 order by room_nid limit $2`,
);

const markPurged = statement<[roomNid: number, nowTs: number], never>(
  'mark_room_purged',
  'update removed_rooms set purged_ts = $2 where room_nid = $1',
);

const forgetRemoved = statement<[roomNids: number[]], never>(
  'forget_removed_rooms',
  'delete from removed_rooms where room_nid = any($1)',
);

/** Rooms that were taken away. */
export function createRemovedRoomStore(database: Queryable) {
  return {
    /** Whether a user of this server is joined. */
    hasLocalMembers: async (roomNid: number) =>
      (await database.query(selectHasLocal, [roomNid]))[0]!.hasLocal,
    between: (afterPos: number, uptoPos: number) =>
      database.query(selectByPosition, [afterPos, uptoPos]),
    /** Those of that name whose rows may not all be deleted. */
    unpurged: (roomId: string) => database.query(selectUnpurged, [roomId]),
    /** Those whose rows were all deleted before a time. */
    purgedBefore: (beforeTs: number, limit: number) => database.query(selectOld, [beforeTs, limit]),
    async markPurged(roomNid: number, nowTs: number): Promise<void> {
      await database.query(markPurged, [roomNid, nowTs]);
    },
    async forget(roomNids: number[]): Promise<void> {
      await database.query(forgetRemoved, [roomNids]);
    },
  };
}

export type RemovedRoomStore = ReturnType<typeof createRemovedRoomStore>;
