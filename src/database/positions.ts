import type { Queryable } from './database.ts';
import { statement } from './statement.ts';

const selectPosition = statement<[], { pos: number }>(
  'select_stream_position',
  'select case when is_called then last_value else 0 end as pos from stream_position',
);

/** The newest position that has been drawn. */
export async function lastStreamPosition(database: Queryable): Promise<number> {
  return (await database.query(selectPosition, []))[0]!.pos;
}
