import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { endless } from './columns.ts';

const selectPolicies = statement<[roomNids: number[]], { roomNid: number; content: string }>(
  'select_retention_policies',
  `select s.room_nid as "roomNid", e.content
   from room_state s join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where s.room_nid = any($1) and s.state_key = '' and s.to_pos = ${endless}
     and s.type_nid = (select type_nid from event_types where event_type = 'm.room.retention')`,
);

/** What rooms say of how long messages are kept. */
export const createRetentionStore = (database: Queryable) => ({
  /** Contents of `m.room.retention` as JSON text, of those of the rooms that have it. */
  policies: (roomNids: number[]) => database.query(selectPolicies, [roomNids]),
});

export type RetentionStore = ReturnType<typeof createRetentionStore>;
