import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** A medium of another homeserver of the same name, whose content is kept here. */
export interface ImportedMedia {
  /** Empty: an upload of this server. */
  origin: string;
  mediaId: string;
  /** Whose upload it is. */
  userId: string | null;
  createdTs: number;
  sha256: string;
  bytes: number;
  contentType: string;
  fileName: string | null;
  lastAccessTs: number | null;
  isAuthenticated: boolean;
  isProtected: boolean;
  quarantinedBy: string | null;
}

const selectKnown = statement<
  [origins: string[], mediaIds: string[]],
  { origin: string; mediaId: string }
>(
  'select_known_media',
  `select m.origin, m.media_id as "mediaId"
   from unnest($1::text[], $2::text[]) as w(origin, media_id)
     join media m on m.origin = w.origin and m.media_id = w.media_id`,
);

const insertImported = statement<[rows: string], { count: number }>(
  'insert_imported_media',
  `with added as (
     insert into media (origin, media_id, user_nid, created_ts, sha256, bytes, content_type,
       file_name, last_access_ts, is_authenticated, is_protected, quarantined_by)
     select r.origin, r."mediaId", u.user_nid, r."createdTs", decode(r.sha256, 'hex'), r.bytes,
       r."contentType", r."fileName", r."lastAccessTs", r."isAuthenticated", r."isProtected",
       r."quarantinedBy"
     from json_to_recordset($1::json) as r(origin text, "mediaId" text, "userId" text,
         "createdTs" bigint, sha256 text, bytes bigint, "contentType" text, "fileName" text,
         "lastAccessTs" bigint, "isAuthenticated" bool, "isProtected" bool, "quarantinedBy" text)
       left join users u on u.user_id = r."userId"
     on conflict do nothing returning 1)
   select count(*)::int as count from added`,
);

/** Media that are taken over. */
export function createImportedMediaStore(database: Queryable) {
  return {
    /** Those of the media that are there already, as `origin/mediaId`. */
    async known(media: readonly Pick<ImportedMedia, 'origin' | 'mediaId'>[]) {
      const rows = await database.query(selectKnown, [
        media.map(({ origin }) => origin),
        media.map(({ mediaId }) => mediaId),
      ]);
      return new Set(rows.map(({ origin, mediaId }) => `${origin}/${mediaId}`));
    },
    /** Gives how many were not there. */
    async insert(media: readonly ImportedMedia[]): Promise<number> {
      return (await database.query(insertImported, [JSON.stringify(media)]))[0]!.count;
    },
  };
}
