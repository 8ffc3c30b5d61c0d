import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const selectBlocker = statement<[roomId: string], { blockedBy: string }>(
  'select_room_blocker',
  'select blocked_by as "blockedBy" from blocked_rooms where room_id = $1',
);

const insertBlock = statement<[roomId: string, by: string, nowTs: number], never>(
  'block_room',
  `with noted as (
     insert into blocked_rooms (room_id, blocked_by, blocked_ts) values ($1, $2, $3)
     on conflict do nothing)
   update rooms set is_blocked = true where room_id = $1`,
);

const deleteBlock = statement<[roomId: string], never>(
  'unblock_room',
  `with gone as (delete from blocked_rooms where room_id = $1)
   update rooms set is_blocked = false where room_id = $1`,
);

/** Rooms that nobody may come into, known here or not. */
export function createBlockStore(database: Queryable) {
  return {
    /** The admin who has blocked it; null: it is not blocked. */
    async blockedBy(roomId: string): Promise<string | null> {
      return (await database.query(selectBlocker, [roomId]))[0]?.blockedBy ?? null;
    },
    async block(roomId: string, by: string, nowTs: number): Promise<void> {
      await database.query(insertBlock, [roomId, by, nowTs]);
    },
    async unblock(roomId: string): Promise<void> {
      await database.query(deleteBlock, [roomId]);
    },
  };
}

export type BlockStore = ReturnType<typeof createBlockStore>;
