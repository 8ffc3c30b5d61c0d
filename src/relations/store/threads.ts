import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, type StoredEvent } from '../../rooms/module.ts';
import type { TimelinePlace } from '../../streams/position.ts';

/** The root of a thread, and the place of the newest event in it. */
export type ThreadRow = StoredEvent & { lastPos: number; lastSub: number };

const selectThreads = statement<
  [roomNid: number, pos: number, sub: number, limit: number, participantNid: number | null],
  ThreadRow
>(
  'relations.threads',
  `select t.last_pos as "lastPos", t.last_sub as "lastSub", ${eventColumns}
   from threads t join events e on e.event_id = t.root_id and e.room_nid = t.room_nid
   where t.room_nid = $1 and (t.last_pos, t.last_sub) <= ($2::bigint, $3::int)
     and e.status = 0 and e.pos is not null
     and ($5::bigint is null or e.sender_nid = $5 or exists (
       select from event_relations r where r.room_nid = t.room_nid and r.parent_id = t.root_id
         and r.rel_type = 'm.thread' and r.sender_nid = $5))
   order by t.last_pos desc, t.last_sub desc limit $4`,
);

/** Reads a room's threads, those with the newest events first. */
export function createThreadStore(database: Queryable) {
  return {
    /** `participantNid`: only threads in which this user has written; null: all. */
    threads(roomNid: number, from: TimelinePlace, limit: number, participantNid: number | null) {
      return database.query(selectThreads, [roomNid, from.pos, from.sub, limit, participantNid]);
    },
  };
}

export type ThreadStore = ReturnType<typeof createThreadStore>;
