import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { endless, eventColumns, memberTypeNid } from './columns.ts';
import type { StoredEvent } from '../stored-event.ts';
import { visibilityHistory, type HistoryRow } from './visibility-history.ts';

const entryOf = `join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid`;

const selectCurrent = statement<[number], StoredEvent>(
  'select_current_state',
  `select ${eventColumns} from room_state s ${entryOf}
   where s.room_nid = $1 and s.to_pos = ${endless}`,
);

const selectAt = statement<[number, number], StoredEvent>(
  'select_state_at',
  `select ${eventColumns} from room_state s ${entryOf}
   where s.room_nid = $1 and s.from_pos <= $2 and s.to_pos > $2`,
);

const selectEntries = statement<[number, string[], string[]], StoredEvent>(
  'select_current_entries',
  `select ${eventColumns} from unnest($2::text[], $3::text[]) as w(type, state_key)
     join event_types wt on wt.event_type = w.type
     join room_state s on s.room_nid = $1 and s.type_nid = wt.type_nid
       and s.state_key = w.state_key and s.to_pos = ${endless} ${entryOf}`,
);

const selectEntriesAt = statement<[number, string[], string[], number], StoredEvent>(
  'select_entries_at',
  `select ${eventColumns} from unnest($2::text[], $3::text[]) as w(type, state_key)
     join event_types wt on wt.event_type = w.type
     join room_state s on s.room_nid = $1 and s.type_nid = wt.type_nid
       and s.state_key = w.state_key and s.from_pos <= $4 and s.to_pos > $4 ${entryOf}`,
);

const selectMembers = statement<[number], StoredEvent>(
  'select_current_members',
  `select ${eventColumns} from room_state s ${entryOf}
   where s.room_nid = $1 and s.to_pos = ${endless} and s.type_nid = ${memberTypeNid}`,
);

const selectMembersAt = statement<[number, number], StoredEvent>(
  'select_members_at',
  `select ${eventColumns} from room_state s ${entryOf}
   where s.room_nid = $1 and s.from_pos <= $2 and s.to_pos > $2 and s.type_nid = ${memberTypeNid}`,
);

const selectVisibility = statement<[number, string], HistoryRow>(
  'select_visibility_history',
  visibilityHistory('(values ($1::bigint)) as w(room_nid)', '$2'),
);

const selectNewestPos = statement<[number], { pos: number | null }>(
  'select_newest_event_pos',
  `select max(pos) as pos from events where room_nid = $1`,
);

const selectSize = statement<[number], { size: number }>(
  'select_state_size',
  `select count(*)::int as size from room_state where room_nid = $1 and to_pos = ${endless}`,
);

/** Reads of room state, now or at a position. */
export function createStateStore(database: Queryable) {
  return {
    /** Position of the room's newest event. */
    newestPos: async (roomNid: number) =>
      (await database.query(selectNewestPos, [roomNid]))[0]?.pos ?? 0,
    /** `atPos` null: now. */
    state: (roomNid: number, atPos: number | null) =>
      atPos === null
        ? database.query(selectCurrent, [roomNid])
        : database.query(selectAt, [roomNid, atPos]),
    /** How many entries there are now. */
    size: async (roomNid: number) => (await database.query(selectSize, [roomNid]))[0]!.size,
    /** Those of the entries that exist; in no particular order. */
    entries: (
      roomNid: number,
      keys: readonly (readonly [type: string, stateKey: string])[],
      atPos: number | null = null,
    ) => {
      const types = keys.map(([type]) => type);
      const stateKeys = keys.map(([, stateKey]) => stateKey);
      return atPos === null
        ? database.query(selectEntries, [roomNid, types, stateKeys])
        : database.query(selectEntriesAt, [roomNid, types, stateKeys, atPos]);
    },
    /** Member events, whatever the membership. */
    members: (roomNid: number, atPos: number | null) =>
      atPos === null
        ? database.query(selectMembers, [roomNid])
        : database.query(selectMembersAt, [roomNid, atPos]),
    /** What history visibility and a user's membership have been, and when. */
    visibilityHistory: (roomNid: number, userId: string) =>
      database.query(selectVisibility, [roomNid, userId]),
  };
}

export type StateStore = ReturnType<typeof createStateStore>;
