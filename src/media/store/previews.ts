import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const selectPreview = statement<[urlSha256: Buffer, ts: number], { preview: string }>(
  'select_url_preview',
  `select preview from url_previews
   where url_sha256 = $1 and fetched_ts <= $2 and expires_ts > $2
   order by fetched_ts desc limit 1`,
);

const insertPreview = statement<
  [urlSha256: Buffer, fetchedTs: number, expiresTs: number, preview: string],
  never
>(
  'insert_url_preview',
  `insert into url_previews (url_sha256, fetched_ts, expires_ts, preview) values ($1, $2, $3, $4)
   on conflict do nothing`,
);

const deletePreviews = statement<[beforeTs: number], never>(
  'delete_url_previews',
  'delete from url_previews where expires_ts < $1',
);

export function createPreviewStore(database: Database) {
  return {
    /** What a link was at a time, as JSON text; null when that is not known. */
    async find(urlSha256: Buffer, ts: number): Promise<string | null> {
      return (await database.query(selectPreview, [urlSha256, ts]))[0]?.preview ?? null;
    },
    async insert(urlSha256: Buffer, fetchedTs: number, expiresTs: number, preview: string) {
      await database.query(insertPreview, [urlSha256, fetchedTs, expiresTs, preview]);
    },
    async deleteExpired(beforeTs: number): Promise<void> {
      await database.query(deletePreviews, [beforeTs]);
    },
  };
}

export type PreviewRows = ReturnType<typeof createPreviewStore>;
