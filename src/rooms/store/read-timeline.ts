import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import type { TimelinePlace } from '../../streams/position.ts';
import { eventColumns, nameJoins } from './columns.ts';
import type { StoredEvent } from '../stored-event.ts';

const selectEvent = statement<[number, string], StoredEvent & { status: number }>(
  'select_event',
  `select ${eventColumns}, e.status from events e
   where e.room_nid = $1 and e.event_id = $2`,
);

const selectEventAnywhere = statement<[string], StoredEvent & { roomId: string }>(
  'select_event_anywhere',
  `select ${eventColumns}, r.room_id as "roomId" from events e
     join rooms r on r.room_nid = e.room_nid
   where e.event_id = $1 and e.status = 0 and e.pos is not null`,
);

const relationOfEvent = (relTypes: string) => `exists (select from event_relations r
  where r.room_nid = e.room_nid and r.event_nid = e.event_nid and r.rel_type = any(${relTypes}))`;

/**
 * What a TimelineMatch says of `events e` with `nameJoins`, by ten parameters from `$first` on
 * (`matchParameters`). Null parameters say nothing.
 */
export function matchCondition(first: number): string {
  const [types, notTypes, senders, notSenders, url, rel, notRel, bySenders, byRel, ignored] =
    Array.from({ length: 10 }, (_, i) => `$${first + i}`);
  return `
  and (${types}::text[] is null or t.event_type like any(${types}))
  and (${notTypes}::text[] is null or not t.event_type like any(${notTypes}))
  and (${senders}::text[] is null or u.user_id = any(${senders}))
  and (${notSenders}::text[] is null or not u.user_id = any(${notSenders}))
  and (${url}::boolean is null
    or ${url} = (e.content like '%"url":%' and (${readableJson('e.content')} ->> 'url') is not null))
  and (${rel}::text[] is null or ${relationOfEvent(rel!)})
  and (${notRel}::text[] is null or not ${relationOfEvent(notRel!)})
  and (${bySenders}::text[] is null and ${byRel}::text[] is null or exists (
    select from event_relations r join users ru on ru.user_nid = r.sender_nid
    where r.room_nid = e.room_nid and r.parent_id = e.event_id
      and (${byRel}::text[] is null or r.rel_type = any(${byRel}))
      and (${bySenders}::text[] is null or ru.user_id = any(${bySenders}))))
  and (${ignored}::text[] is null or e.state_key is not null or not u.user_id = any(${ignored}))`;
}

const matching = matchCondition(6);

type PageParameters = [number, number, number, number, number];
type Texts = string[] | null;
export type MatchParameters = [
  Texts,
  Texts,
  Texts,
  Texts,
  boolean | null,
  Texts,
  Texts,
  Texts,
  Texts,
  Texts,
];

const backwards = `e.room_nid = $1 and (e.pos, e.sub) <= ($2::bigint, $3::int)
  and e.pos > $4::bigint and e.status = 0`;
const forwards = `e.room_nid = $1 and (e.pos, e.sub) > ($2::bigint, $3::int)
  and e.pos <= $4::bigint and e.status = 0`;

const pageBackwards = statement<PageParameters, StoredEvent>(
  'page_backwards',
  `select ${eventColumns} from (
     select * from events e where ${backwards} order by e.pos desc, e.sub desc limit $5) e
   order by e.pos desc, e.sub desc`,
);
const pageForwards = statement<PageParameters, StoredEvent>(
  'page_forwards',
  `select ${eventColumns} from (
     select * from events e where ${forwards} order by e.pos, e.sub limit $5) e
   order by e.pos, e.sub`,
);
const matchBackwards = statement<[...PageParameters, ...MatchParameters], StoredEvent>(
  'match_backwards',
  `select ${eventColumns} from events e ${nameJoins} where ${backwards} ${matching}
   order by e.pos desc, e.sub desc limit $5`,
);
const matchForwards = statement<[...PageParameters, ...MatchParameters], StoredEvent>(
  'match_forwards',
  `select ${eventColumns} from events e ${nameJoins} where ${forwards} ${matching}
   order by e.pos, e.sub limit $5`,
);

const nearestBefore = statement<[number, number], StoredEvent>(
  'select_event_before_time',
  `select ${eventColumns} from (
     select * from events e where e.room_nid = $1 and e.origin_server_ts <= $2
       and e.pos is not null and e.status = 0
       order by e.origin_server_ts desc, e.pos desc, e.sub desc limit 1) e`,
);
const nearestAfter = statement<[number, number], StoredEvent>(
  'select_event_after_time',
  `select ${eventColumns} from (
     select * from events e where e.room_nid = $1 and e.origin_server_ts >= $2
       and e.pos is not null and e.status = 0
       order by e.origin_server_ts, e.pos, e.sub limit 1) e`,
);

/** What a page is narrowed to: event types as SQL `like` patterns, senders as user ids. */
export interface TimelineMatch {
  types: string[] | null;
  notTypes: string[] | null;
  senders: string[] | null;
  notSenders: string[] | null;
  containsUrl: boolean | null;
  /** How events relate to others themselves. */
  relTypes: string[] | null;
  notRelTypes: string[] | null;
  /** Only events that others of these senders, and in these ways, relate to. */
  relatedBySenders: string[] | null;
  relatedByRelTypes: string[] | null;
  /** Of these only state is wanted. */
  ignoredSenders: string[] | null;
}

export const matchParameters = (match: TimelineMatch): MatchParameters => [
  match.types,
  match.notTypes,
  match.senders,
  match.notSenders,
  match.containsUrl,
  match.relTypes,
  match.notRelTypes,
  match.relatedBySenders,
  match.relatedByRelTypes,
  match.ignoredSenders,
];

export interface TimelinePage {
  roomNid: number;
  direction: 'b' | 'f';
  from: TimelinePlace;
  /** Backwards: events after this position only; forwards: up to it. */
  bound: number;
  limit: number;
  match: TimelineMatch | null;
}

/** Reads of room timelines. */
export function createTimelineStore(database: Queryable) {
  return {
    /** Accepted or not; `status` tells. */
    async event(roomNid: number, eventId: string) {
      return (await database.query(selectEvent, [roomNid, eventId]))[0] ?? null;
    },
    async eventAnywhere(eventId: string) {
      return (await database.query(selectEventAnywhere, [eventId]))[0] ?? null;
    },
    /** In the order of reading. */
    page({ roomNid, direction, from, bound, limit, match }: TimelinePage): Promise<StoredEvent[]> {
      const range: PageParameters = [roomNid, from.pos, from.sub, bound, limit];
      if (!match) return database.query(direction === 'b' ? pageBackwards : pageForwards, range);
      return database.query(direction === 'b' ? matchBackwards : matchForwards, [
        ...range,
        ...matchParameters(match),
      ]);
    },
    /** The event nearest to a time, not after it (`b`) or not before it (`f`). */
    async nearest(roomNid: number, ts: number, direction: 'b' | 'f') {
      const select = direction === 'b' ? nearestBefore : nearestAfter;
      return (await database.query(select, [roomNid, ts]))[0] ?? null;
    },
  };
}

export type TimelineStore = ReturnType<typeof createTimelineStore>;
