import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';

/** An event of a set, or of its auth chain. */
export interface ChainRow {
  eventNid: number;
  eventId: string;
  /** It can be reached over auth_events from an event of the set. */
  isInChain: boolean;
  /** Its auth events are in the index, or need not be. */
  isIndexed: boolean;
}

/** The ids of the auth events of `events e`; `createId`: what all but itself have beside. */
const authIds = (createId: string) => `(
  select case json_typeof(r.value) when 'array' then r.value ->> 0 else r.value #>> '{}' end as id
    from json_array_elements(${readableJson('e.envelope')} -> 'auth_events') r
  union all
  select ${createId}::text where e.event_id <> ${createId}::text)`;

/** The numbers of the auth events of the event `from.nid`. */
const authOf = (from: string) => `
  cross join lateral unnest(coalesce(
    (select i.auth_nids from event_auth i where i.room_nid = $1 and i.event_nid = ${from}.nid),
    (select array(select a.event_nid from ${authIds('$3')} n
        join events a on a.room_nid = $1 and a.event_id = n.id)
      from events e where e.room_nid = $1 and e.event_nid = ${from}.nid))) as a(nid)`;

const selectChain = statement<[number, number[], string | null], ChainRow>(
  'select_auth_chain',
  `with recursive chain(nid) as (
     select a.nid from unnest($2::bigint[]) as given(nid) ${authOf('given')}
     union
     select a.nid from chain ${authOf('chain')}),
   found as (
     select nid, bool_or(is_in_chain) as is_in_chain
       from (select nid, true as is_in_chain from chain
         union all select unnest($2::bigint[]), false) f
       group by nid)
   select e.event_nid as "eventNid", e.event_id as "eventId", f.is_in_chain as "isInChain",
     i.event_nid is not null or e.state_key is null as "isIndexed"
   from found f join events e on e.room_nid = $1 and e.event_nid = f.nid
     left join event_auth i on i.room_nid = $1 and i.event_nid = f.nid
   order by e.event_nid`,
);

// Events that name what is not stored (yet) are read anew each time.
const indexEvents = statement<[number, number[], string | null], never>(
  'index_auth_events',
  `insert into event_auth (room_nid, event_nid, auth_nids)
   select e.room_nid, e.event_nid, x.nids
     from events e cross join lateral (
       select coalesce(array_agg(a.event_nid), '{}') as nids from ${authIds('$3')} n
         left join events a on a.room_nid = e.room_nid and a.event_id = n.id) x
     where e.room_nid = $1 and e.event_nid = any($2) and array_position(x.nids, null) is null
     on conflict do nothing`,
);

/** Auth chains; `createId`: of the create event, in room versions whose events do not name it. */
export function createAuthChainStore(database: Queryable) {
  return {
    /** The events and their auth chain, each once, in the order in which they came here. */
    chain: (roomNid: number, eventNids: readonly number[], createId: string | null) =>
      database.query(selectChain, [roomNid, [...eventNids], createId]),
    index: (roomNid: number, eventNids: readonly number[], createId: string | null) =>
      database.query(indexEvents, [roomNid, [...eventNids], createId]),
  };
}

export type AuthChainStore = ReturnType<typeof createAuthChainStore>;
