import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { endless } from './columns.ts';

/** Events of a room whose content has an `mxc:` URI somewhere, by their numbers. */
const selectNaming = statement<
  [roomNid: number, afterNid: number, max: number],
  { eventNid: number; content: string }
>(
  'select_events_naming_media',
  `select event_nid as "eventNid", content from events
   where room_nid = $1 and event_nid > $2 and status <> 2 and content like '%mxc://%'
   order by event_nid limit $3`,
);

const selectRoom = statement<[roomId: string], { roomNid: number }>(
  'select_room_of_media',
  `select room_nid as "roomNid" from rooms where room_id = $1`,
);

const selectRoomAvatars = statement<[uris: string[]], { uri: string }>(
  'select_room_avatars_among',
  `select distinct uri from unnest($1::text[]) as uri
   where exists (
     select from room_state s
       join event_types t on t.type_nid = s.type_nid and t.event_type = 'm.room.avatar'
       join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     where s.to_pos = ${endless} and s.state_key = '' and strpos(e.content, uri) > 0)`,
);

const pageMax = 500;

/** What rooms say about media. */
export interface NamedMedia {
  /** Contents, as JSON, that have an `mxc:` URI somewhere; null: there is no such room. */
  contentsIn(roomId: string): Promise<AsyncIterable<string> | null>;
  /** Those of the URIs that are avatars of rooms. */
  avatarsAmong(uris: readonly string[]): Promise<Set<string>>;
}

export function createNamedMedia(database: Database): NamedMedia {
  async function* contents(roomNid: number): AsyncGenerator<string> {
    let after = 0;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page, so that memory stays flat
      const page = await database.query(selectNaming, [roomNid, after, pageMax]);
      for (const { content } of page) yield content;
      if (page.length < pageMax) return;
      after = page.at(-1)!.eventNid;
    }
  }

  return {
    async contentsIn(roomId) {
      const [room] = await database.query(selectRoom, [roomId]);
      return room ? contents(room.roomNid) : null;
    },
    async avatarsAmong(uris) {
      const rows = await database.query(selectRoomAvatars, [[...uris]]);
      return new Set(rows.map(({ uri }) => uri));
    },
  };
}
