import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';

export interface EventOfUser {
  eventId: string;
  pos: number;
  sub: number;
  isRedacted: boolean;
}

/** Times are milliseconds since 1970; null: without a bound. */
export interface WantedEvents {
  roomNid: number;
  userNid: number;
  /** Those before this place in the timeline. */
  before: { pos: number; sub: number };
  beforeTs: number | null;
  afterTs: number | null;
  limit: number;
}

const selectEvents = statement<
  [
    roomNid: number,
    userNid: number,
    pos: number,
    sub: number,
    beforeTs: number | null,
    afterTs: number | null,
    limit: number,
  ],
  EventOfUser
>(
  'user_redaction.events',
  `select e.event_id as "eventId", e.pos, e.sub, e.redacted_by is not null as "isRedacted"
   from events e join event_types t on t.type_nid = e.type_nid
   where e.room_nid = $1 and e.sender_nid = $2 and e.status = 0 and e.pos is not null
     and (e.pos, e.sub) < ($3::bigint, $4::int)
     and ($5::bigint is null or e.origin_server_ts < $5)
     and ($6::bigint is null or e.origin_server_ts > $6)
     and (t.event_type in ('m.room.message', 'm.room.encrypted')
       or (t.event_type = 'm.room.member'
         and ${readableJson('e.content')} ->> 'membership' = 'join'))
   order by e.pos desc, e.sub desc limit $7`,
);

/** A page of the messages and joins of a user in a room, the newest first. */
export const eventsOfUser = (database: Queryable, wanted: WantedEvents) =>
  database.query(selectEvents, [
    wanted.roomNid,
    wanted.userNid,
    wanted.before.pos,
    wanted.before.sub,
    wanted.beforeTs,
    wanted.afterTs,
    wanted.limit,
  ]);
