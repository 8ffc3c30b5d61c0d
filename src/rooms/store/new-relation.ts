import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { Relation } from '../relation.ts';

const selectRepeated = statement<
  [roomNid: number, parentId: string, type: string, senderNid: number, key: string | null],
  { isThere: boolean }
>(
  'relations.is_repeated',
  `select exists (select from event_relations
     where room_nid = $1 and parent_id = $2 and rel_type = 'm.annotation' and key = $5
       and type_nid = (select type_nid from event_types where event_type = $3)
       and sender_nid = $4) as "isThere"`,
);

const selectRelated = statement<[roomNid: number, eventId: string], { isThere: boolean }>(
  'relations.is_related',
  `select exists (select from events e
     join event_relations r on r.room_nid = e.room_nid and r.event_nid = e.event_nid
     where e.event_id = $2 and e.room_nid = $1) as "isThere"`,
);

/** What is asked before a client's relation is accepted. */
export function createNewRelationStore(database: Queryable) {
  const isThere = ([row]: { isThere: boolean }[]) => row!.isThere;
  return {
    /** Whether the sender has made the same annotation before. */
    isRepeated: async (roomNid: number, senderNid: number, type: string, relation: Relation) =>
      isThere(
        await database.query(selectRepeated, [
          roomNid,
          relation.parentId,
          type,
          senderNid,
          relation.key,
        ]),
      ),
    /** Whether the event itself refers to another. */
    isRelated: async (roomNid: number, eventId: string) =>
      isThere(await database.query(selectRelated, [roomNid, eventId])),
  };
}

export type NewRelationStore = ReturnType<typeof createNewRelationStore>;
