import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const takeTurn = statement<[], object>(
  'search.lock',
  `select pg_advisory_xact_lock(hashtext('search_index'))`,
);

const selectCursor = statement<[], { pos: number }>(
  'search.cursor',
  'select pos from search_cursor',
);

/** An event whose words are to be found. */
export interface NewText {
  roomNid: number;
  eventNid: number;
  type: string;
  senderNid: number;
  pos: number;
  sub: number;
  content: string;
}

const selectTexts = statement<[afterPos: number, limit: number], NewText>(
  'search.new_texts',
  `select e.room_nid as "roomNid", e.event_nid as "eventNid", t.event_type as type,
     e.sender_nid as "senderNid", e.pos, e.sub, e.content
   from events e join event_types t on t.type_nid = e.type_nid
   where e.pos > $1 and e.sub = 0 and e.status = 0 and e.redacted_by is null
     and e.type_nid in (select type_nid from event_types
       where event_type in ('m.room.message', 'm.room.name', 'm.room.topic'))
   order by e.pos, e.sub limit $2`,
);

const insertTexts = statement<
  [number[], number[], number[], number[], number[], number[], string[]],
  never
>(
  'search.insert',
  `insert into searchable_events (room_nid, event_nid, field, sender_nid, pos, sub, words)
     select room_nid, event_nid, field, sender_nid, pos, sub, words::tsvector
     from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::int[],
       $7::text[]) as i(room_nid, event_nid, field, sender_nid, pos, sub, words)
   on conflict do nothing`,
);

const deleteRedacted = statement<[afterPos: number], never>(
  'search.delete_redacted',
  `delete from searchable_events s using events r, events t
   where r.pos > $1 and r.redacts is not null
     and t.event_id = r.redacts and t.room_nid = r.room_nid and t.redacted_by is not null
     and s.room_nid = t.room_nid and s.event_nid = t.event_nid`,
);

const moveCursor = statement<[pos: number], never>(
  'search.move_cursor',
  'update search_cursor set pos = $1',
);

export interface SearchableText extends Omit<NewText, 'type' | 'content'> {
  field: number;
  /** A tsvector, in its text form. */
  words: string;
}

/** Waits until no other process is at it, until the transaction ends; gives the cursor. */
export async function holdCursor(tx: Queryable): Promise<number> {
  await tx.query(takeTurn, []);
  return (await tx.query(selectCursor, []))[0]!.pos;
}

/** Events after a position that may be found, in the order of the timeline. */
export const newTexts = (tx: Queryable, afterPos: number, limit: number) =>
  tx.query(selectTexts, [afterPos, limit]);

/** Takes texts in, what has been redacted out, and moves the cursor. */
export async function putTexts(
  tx: Queryable,
  texts: readonly SearchableText[],
  { afterPos, cursorPos }: { afterPos: number; cursorPos: number },
): Promise<void> {
  const list = <K extends keyof SearchableText>(key: K) => texts.map((text) => text[key]);
  if (texts.length > 0) {
    await tx.query(insertTexts, [
      list('roomNid'),
      list('eventNid'),
      list('field'),
      list('senderNid'),
      list('pos'),
      list('sub'),
      list('words'),
    ]);
  }
  await tx.query(deleteRedacted, [afterPos]);
  if (cursorPos > afterPos) await tx.query(moveCursor, [cursorPos]);
}
