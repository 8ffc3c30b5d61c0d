import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** Values are JSON text. */
const selectAvatars = statement<[values: string[]], { value: string }>(
  'select_avatars_among',
  `select distinct value from profile_fields where field = 'avatar_url' and value = any($1)`,
);

/** Those of the URIs that are avatars of users. */
export async function avatarsAmong(
  database: Database,
  uris: readonly string[],
): Promise<Set<string>> {
  const rows = await database.query(selectAvatars, [uris.map((uri) => JSON.stringify(uri))]);
  return new Set(rows.map(({ value }) => JSON.parse(value) as string));
}
