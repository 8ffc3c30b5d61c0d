import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, type StoredEvent } from '../../rooms/module.ts';
import type { TimelinePlace } from '../../streams/position.ts';

/** How far `recurse` goes: from the parent to the children of its children's children. */
export const recursionDepth = 3;
/** Events of each generation that `recurse` looks at; bounds the work of one request. */
const recursedMax = 5_000;

type Params = [
  roomNid: number,
  parentId: string,
  relType: string | null,
  eventType: string | null,
  fromPos: number,
  fromSub: number,
  boundPos: number,
  limit: number,
];

const ofType = `($4::text is null
  or r.type_nid = (select type_nid from event_types where event_type = $4))`;
const range = {
  b: `(r.pos, r.sub) <= ($5::bigint, $6::int) and r.pos > $7::bigint`,
  f: `(r.pos, r.sub) > ($5::bigint, $6::int) and r.pos <= $7::bigint`,
} as const;
const order = { b: 'r.pos desc, r.sub desc', f: 'r.pos, r.sub' } as const;
const child = 'join events e on e.room_nid = r.room_nid and e.event_nid = r.event_nid';

const selectChildren = (direction: 'b' | 'f') =>
  statement<Params, StoredEvent>(
    `relations.children_${direction}`,
    `select ${eventColumns} from (
       select * from event_relations r
       where r.room_nid = $1 and r.parent_id = $2 and ($3::text is null or r.rel_type = $3)
         and ${ofType} and ${range[direction]}
       order by ${order[direction]} limit $8) r ${child}
     order by ${order[direction]}`,
  );

const generation = (n: number, parents: string) => `
  generation_${n} as (
    select r.*, e.event_id from (
      select * from event_relations where room_nid = $1 and parent_id in (${parents})
      order by pos desc, sub desc limit ${recursedMax}) r ${child})`;
const generations = Array.from({ length: recursionDepth }, (_, i) =>
  generation(i + 1, i === 0 ? '$2' : `select event_id from generation_${i}`),
);
const descendants = generations
  .map((_, i) => `select * from generation_${i + 1}`)
  .join(' union all ');

const selectDescendants = (direction: 'b' | 'f') =>
  statement<Params, StoredEvent>(
    `relations.descendants_${direction}`,
    `with ${generations.join(',')}
     select ${eventColumns} from (
       select distinct r.room_nid, r.event_nid, r.pos, r.sub from (${descendants}) r
       where ($3::text is null or r.rel_type = $3) and ${ofType} and ${range[direction]}
       order by ${order[direction]} limit $8) r ${child}
     order by ${order[direction]}`,
  );

const statements = {
  children: { b: selectChildren('b'), f: selectChildren('f') },
  descendants: { b: selectDescendants('b'), f: selectDescendants('f') },
};

export interface ChildrenWanted {
  roomNid: number;
  parentId: string;
  relType: string | null;
  eventType: string | null;
  direction: 'b' | 'f';
  from: TimelinePlace;
  /** Backwards: events after this position only; forwards: up to it. */
  bound: number;
  limit: number;
  /** Also what relates to the children, and so on. */
  recurse: boolean;
}

/** Reads what relates to an event, in the order of reading. */
export function createRelationStore(database: Queryable) {
  return {
    children(wanted: ChildrenWanted): Promise<StoredEvent[]> {
      const { roomNid, parentId, relType, eventType, direction, from, bound, limit } = wanted;
      const kind = wanted.recurse ? 'descendants' : 'children';
      return database.query(statements[kind][direction], [
        roomNid,
        parentId,
        relType,
        eventType,
        from.pos,
        from.sub,
        bound,
        limit,
      ]);
    },
  };
}

export type RelationStore = ReturnType<typeof createRelationStore>;
