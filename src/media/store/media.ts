import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** One of the media, as it is kept. */
export interface Media {
  /** The server; empty for this one. */
  origin: string;
  mediaId: string;
  userNid: number | null;
  createdTs: number;
  /** Null: nothing was uploaded yet. */
  content: { sha256: string; bytes: number; contentType: string; fileName: string | null } | null;
  unusedExpiresTs: number | null;
  lastAccessTs: number | null;
  isAuthenticated: boolean;
  isProtected: boolean;
  quarantinedBy: string | null;
  isPreview: boolean;
}

/** A row as the database gives it. */
export interface MediaRow extends Omit<Media, 'content'> {
  sha256: string | null;
  bytes: number | null;
  contentType: string | null;
  fileName: string | null;
}

export const mediaColumns = `origin, media_id as "mediaId", user_nid as "userNid",
  created_ts as "createdTs", encode(sha256, 'hex') as sha256, bytes, content_type as "contentType",
  file_name as "fileName", unused_expires_ts as "unusedExpiresTs",
  last_access_ts as "lastAccessTs", is_authenticated as "isAuthenticated",
  is_protected as "isProtected", quarantined_by as "quarantinedBy", is_preview as "isPreview"`;

export function mediaOf({ sha256, bytes, contentType, fileName, ...row }: MediaRow): Media {
  const content =
    sha256 === null
      ? null
      : { sha256, bytes: bytes!, contentType: contentType ?? 'application/octet-stream', fileName };
  return { ...row, content };
}

/**
 * Holds off who deletes contents until the row that names it is there; see `delete-media.ts`. $1 is
 * the SHA-256 in hexadecimal.
 */
const lockContent = `locked as materialized (
  select pg_advisory_xact_lock(hashtextextended($1, 0)), decode($1, 'hex') as sha256)`;

/** A content is in quarantine wherever it turns up again. */
const quarantinedAlike = `(select other.quarantined_by from media other, locked
  where other.sha256 = locked.sha256 and other.quarantined_by is not null limit 1)`;

export interface NewMedia {
  origin: string;
  mediaId: string;
  userNid: number | null;
  nowTs: number;
  isAuthenticated: boolean;
  isPreview: boolean;
}

export interface NewContent {
  sha256: string;
  bytes: number;
  contentType: string;
  fileName: string | null;
}

const insertMedia = statement<
  [
    sha256: string,
    bytes: number,
    contentType: string,
    fileName: string | null,
    origin: string,
    mediaId: string,
    userNid: number | null,
    nowTs: number,
    isAuthenticated: boolean,
    isPreview: boolean,
  ],
  never
>(
  'insert_media',
  `with ${lockContent}
   insert into media (origin, media_id, user_nid, created_ts, sha256, bytes, content_type,
       file_name, is_authenticated, is_preview, quarantined_by)
     select $5, $6, $7, $8, locked.sha256, $2, $3, $4, $9, $10, ${quarantinedAlike} from locked`,
);

/** None: there is one already. */
const insertCopy = statement<
  [
    sha256: string,
    bytes: number,
    contentType: string,
    fileName: string | null,
    origin: string,
    mediaId: string,
    nowTs: number,
    isAuthenticated: boolean,
  ],
  { mediaId: string }
>(
  'insert_media_copy',
  `with ${lockContent}
   insert into media (origin, media_id, created_ts, sha256, bytes, content_type, file_name,
       is_authenticated, quarantined_by)
     select $5, $6, $7, locked.sha256, $2, $3, $4, $8, ${quarantinedAlike} from locked
   on conflict do nothing returning media_id as "mediaId"`,
);

const selectMedia = statement<[origin: string, mediaId: string], MediaRow>(
  'select_media',
  `select ${mediaColumns} from media where origin = $1 and media_id = $2`,
);

const insertPending = statement<
  [
    mediaId: string,
    userNid: number,
    nowTs: number,
    expiresTs: number,
    isAuthed: boolean,
    max: number,
  ],
  { firstTs: number | null; isMade: boolean }
>(
  'insert_pending_media',
  `with pending as (
     select count(*) as count, min(unused_expires_ts) as first from media
     where user_nid = $2 and unused_expires_ts > $3),
   made as (
     insert into media (origin, media_id, user_nid, created_ts, unused_expires_ts, is_authenticated)
       select '', $1, $2, $3, $4, $5 from pending where count < $6 returning 1)
   select first as "firstTs", exists (select from made) as "isMade" from pending`,
);

const completePending = statement<
  [
    sha256: string,
    bytes: number,
    contentType: string,
    fileName: string | null,
    mediaId: string,
    userNid: number,
    nowTs: number,
  ],
  { mediaId: string }
>(
  'complete_pending_media',
  `with ${lockContent}
   update media set sha256 = locked.sha256, bytes = $2, content_type = $3, file_name = $4,
       unused_expires_ts = null, quarantined_by = ${quarantinedAlike}
     from locked
     where origin = '' and media_id = $5 and user_nid = $6 and unused_expires_ts > $7
     returning media_id as "mediaId"`,
);

const selectUploadedBytes = statement<[userNid: number, sinceTs: number], { bytes: number }>(
  'select_uploaded_bytes',
  `select coalesce(sum(bytes), 0)::bigint as bytes from media
   where user_nid = $1 and created_ts > $2`,
);

const updateLastAccess = statement<[origins: string[], mediaIds: string[], ts: number[]], never>(
  'update_media_last_access',
  `update media set last_access_ts = greatest(last_access_ts, seen.ts)
   from unnest($1::text[], $2::text[], $3::bigint[]) as seen (origin, media_id, ts)
   where media.origin = seen.origin and media.media_id = seen.media_id`,
);

export function createMediaStore(database: Database) {
  return {
    async insert(media: NewMedia, content: NewContent): Promise<void> {
      const { origin, mediaId, userNid, nowTs, isAuthenticated, isPreview } = media;
      const { sha256, bytes, contentType, fileName } = content;
      await database.query(insertMedia, [
        sha256,
        bytes,
        contentType,
        fileName,
        origin,
        mediaId,
        userNid,
        nowTs,
        isAuthenticated,
        isPreview,
      ]);
    },
    /** A copy of another server's media. False: there is one already. */
    async insertCopy(
      copy: Pick<NewMedia, 'origin' | 'mediaId' | 'nowTs' | 'isAuthenticated'>,
      { sha256, bytes, contentType, fileName }: NewContent,
    ): Promise<boolean> {
      const { origin, mediaId, nowTs, isAuthenticated } = copy;
      const content = [sha256, bytes, contentType, fileName] as const;
      const params = [...content, origin, mediaId, nowTs, isAuthenticated] as const;
      return (await database.query(insertCopy, [...params])).length > 0;
    },
    async find(origin: string, mediaId: string): Promise<Media | null> {
      const [row] = await database.query(selectMedia, [origin, mediaId]);
      return row ? mediaOf(row) : null;
    },
    /** Makes an id; null, or when the first of too many pending ones expires. */
    async insertPending(
      pending: Pick<NewMedia, 'mediaId' | 'nowTs' | 'isAuthenticated'> & {
        userNid: number;
        expiresTs: number;
        pendingMax: number;
      },
    ): Promise<{ isMade: boolean; firstTs: number | null }> {
      const { mediaId, userNid, nowTs, expiresTs, isAuthenticated, pendingMax } = pending;
      const [row] = await database.query(insertPending, [
        mediaId,
        userNid,
        nowTs,
        expiresTs,
        isAuthenticated,
        pendingMax,
      ]);
      return row!;
    },
    /** False: the id is another's, has expired, or has a content. */
    async complete(
      pending: { mediaId: string; userNid: number; nowTs: number },
      { sha256, bytes, contentType, fileName }: NewContent,
    ): Promise<boolean> {
      const { mediaId, userNid, nowTs } = pending;
      const rows = await database.query(completePending, [
        sha256,
        bytes,
        contentType,
        fileName,
        mediaId,
        userNid,
        nowTs,
      ]);
      return rows.length > 0;
    },
    async uploadedBytes(userNid: number, sinceTs: number): Promise<number> {
      return (await database.query(selectUploadedBytes, [userNid, sinceTs]))[0]!.bytes;
    },
    async noteAccess(seen: readonly { origin: string; mediaId: string; ts: number }[]) {
      await database.query(updateLastAccess, [
        seen.map(({ origin }) => origin),
        seen.map(({ mediaId }) => mediaId),
        seen.map(({ ts }) => ts),
      ]);
    },
  };
}

export type MediaRows = ReturnType<typeof createMediaStore>;
