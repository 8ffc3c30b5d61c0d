import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** Waits for whoever is at work on the directory; held for the transaction. */
const lock = statement<[], object>(
  'user_directory.lock_waiting',
  `select pg_advisory_xact_lock(hashtext('user_directory'))`,
);

const beginAnew = statement<[], object>(
  'user_directory.begin_anew',
  `with noted as (
     insert into user_directory_queue (user_nid)
       select user_nid from user_directory union select user_nid from accounts
   )
   update user_directory_cursor set pos = 0`,
);

const selectCursor = statement<[], { pos: number }>(
  'user_directory.cursor',
  'select pos from user_directory_cursor',
);

/** All state is to be followed again, and all entries are to be made again. */
export async function noteAll(tx: Queryable): Promise<void> {
  await tx.query(lock, []);
  await tx.query(beginAnew, []);
}

/** Up to which position state has been followed. */
export async function followedPos(database: Queryable): Promise<number> {
  return (await database.query(selectCursor, []))[0]!.pos;
}
