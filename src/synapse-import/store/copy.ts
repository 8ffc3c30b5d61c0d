import { statement, type Statement } from '../../database/statement.ts';
import type { Reading } from '../source/pages.ts';
import type { SourceRow } from '../source/source.ts';

/** A table of Synapse's that becomes rows of ours. */
export interface Copy {
  /** What an admin calls them. */
  name: string;
  reading: Reading;
  /** Columns with ids of users that get numbers. */
  users?: readonly string[];
  /** Puts rows into the form that `into` takes; the rows themselves by default. */
  prepare?: (rows: SourceRow[]) => SourceRow[];
  /** Takes rows as a JSON array of objects; gives how many are new. */
  into: Statement<[rows: string], { count: number }>;
}

/** Rows that are given as JSON, with the types of their columns. */
export const json = (columns: string) => `json_to_recordset($1::json) as r(${columns})`;
/** Whether a column of `r` is true; SQLite writes 1. */
export const isTrue = (column: string) => `coalesce(r.${column}, '') in ('1', 't', 'true')`;

/** Adds what is not there yet. */
export function inserting(name: string, insert: string): Copy['into'] {
  return statement(
    `synapse_import.${name}`,
    `with added as (${insert} on conflict do nothing returning 1)
     select count(*)::int as count from added`,
  );
}

/** Joins from names in `r` to numbers. */
export const user = 'join users u on u.user_id = r.user_id';
export const room = 'join rooms o on o.room_id = r.room_id';
export const device = `${user} join devices d on d.user_nid = u.user_nid and d.device_id = r.device_id`;
