/** What decides on who sees what in a room: an entry of its state while it held, or in fetched history. */
export interface HistoryRow {
  /** Of the user's membership; else of history visibility. */
  isMember: boolean;
  /** JSON text of the entry's content; null: the row says only what was before. */
  content: string | null;
  /** A stretch `fromPos <= p < toPos`; of a row with `sub` its position, and that of its base. */
  fromPos: number;
  toPos: number;
  /** Null: a stretch of positions. Else the place in history that was fetched later; 0: its top. */
  sub: number | null;
  /** JSON text of the content of the entry that held just before that place; null: there was none. */
  before: string | null;
  isBeforeKnown: boolean;
}

/**
 * SQL that selects HistoryRows with `roomNid` for history visibility and a user's membership in rooms.
 * `rooms`: SQL of a row source with the name `w` and a column `room_nid`; `userId`: SQL of a user id.
 */
export const visibilityHistory = (rooms: string, userId: string): string => `
  with k as materialized (
    select t.type_nid, v.state_key, v.is_member
      from (values ('m.room.history_visibility', '', false), ('m.room.member', ${userId}, true))
        as v(type, state_key, is_member)
      left join event_types t on t.event_type = v.type)
  select s.room_nid as "roomNid", k.is_member as "isMember", e.content, s.from_pos as "fromPos",
    s.to_pos as "toPos", null::int as sub, null::text as before, false as "isBeforeKnown"
  from ${rooms} cross join k
    join room_state s on s.room_nid = w.room_nid and s.type_nid = k.type_nid
      and s.state_key = k.state_key
    join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
  union all
  select e.room_nid, k.is_member, e.content, e.pos, e.pos, e.sub, b.content,
    d.event_nid is not null
  from ${rooms} cross join k
    join events e on e.room_nid = w.room_nid and e.type_nid = k.type_nid
      and e.state_key = k.state_key and e.sub < 0 and e.state_key is not null and e.status = 0
    left join event_state_differences d on d.room_nid = e.room_nid and d.event_nid = e.event_nid
      and d.type_nid = k.type_nid and d.state_key = k.state_key
    left join events b on b.room_nid = e.room_nid and b.event_nid = d.entry_nid
  union all
  select s.room_nid, k.is_member, null, s.pos, t.base_pos, s.top_sub, b.content,
    d.event_nid is not null
  from ${rooms} cross join k
    join history_stretches s on s.room_nid = w.room_nid
    join events t on t.room_nid = s.room_nid and t.event_nid = s.top_nid
    left join event_state_differences d on d.room_nid = s.room_nid and d.event_nid = s.top_nid
      and d.type_nid = k.type_nid and d.state_key = k.state_key
    left join events b on b.room_nid = s.room_nid and b.event_nid = d.entry_nid
  order by 1, 4`;
