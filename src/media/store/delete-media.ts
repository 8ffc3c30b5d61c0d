import type { Database, Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { mediaColumns, mediaOf, type Media, type MediaRow } from './media.ts';

/** Which media of all. */
export interface OldMedia {
  /** This server's own, or copies of other servers'. */
  isLocal: boolean;
  /** Not looked at since; without a look, not made since. Milliseconds since 1970. */
  beforeTs: number;
  bytesMin: number;
  /** Also those that were exempt from quarantine or put into it. */
  alsoMarked: boolean;
}

const selectOld = statement<
  [
    isLocal: boolean,
    beforeTs: number,
    bytesMin: number,
    alsoMarked: boolean,
    after: string[],
    max: number,
  ],
  MediaRow
>(
  'select_old_media',
  `select ${mediaColumns} from media
   where (origin = '') = $1 and not is_preview and unused_expires_ts is null
     and coalesce(last_access_ts, created_ts) < $2 and bytes >= $3
     and ($4 or (quarantined_by is null and not is_protected))
     and (origin, media_id) > (($5::text[])[1], ($5::text[])[2])
   order by origin, media_id limit $6`,
);

const selectExpired = statement<
  [nowTs: number, previewsBeforeTs: number, max: number],
  { origin: string; mediaId: string }
>(
  'select_expired_media',
  `(select origin, media_id as "mediaId" from media where unused_expires_ts <= $1 limit $3)
   union all
   (select origin, media_id from media where is_preview and created_ts < $2 limit $3)`,
);

const deleteRows = statement<[origins: string[], mediaIds: string[]], { sha256: string | null }>(
  'delete_media',
  `with gone as (select * from unnest($1::text[], $2::text[]) as gone (origin, media_id)),
   thumbnails as (
     delete from media_thumbnails using gone
     where media_thumbnails.origin = gone.origin and media_thumbnails.media_id = gone.media_id
     returning sha256),
   originals as (
     delete from media using gone
     where media.origin = gone.origin and media.media_id = gone.media_id returning sha256)
   select encode(sha256, 'hex') as sha256 from thumbnails
   union select encode(sha256, 'hex') from originals`,
);

const lockContents = statement<[string[]], never>(
  'lock_media_contents',
  `select pg_advisory_xact_lock(hashtextextended(sha256, 0))
   from (select unnest($1::text[]) as sha256 order by 1) as ordered`,
);

const selectUnused = statement<[string[]], { sha256: string }>(
  'select_unused_media_contents',
  `select sha256 from unnest($1::text[]) as given (sha256)
   where not exists (select from media where media.sha256 = decode(given.sha256, 'hex'))
     and not exists (
       select from media_thumbnails where media_thumbnails.sha256 = decode(given.sha256, 'hex'))`,
);

export type MediaName = Pick<Media, 'origin' | 'mediaId'>;

export function createDeletionStore(database: Database) {
  /** Deletes those of the contents that no row names. */
  async function forgetIn(
    tx: Queryable,
    hashes: string[],
    deleteContent: (sha256: string) => Promise<void>,
  ): Promise<void> {
    await tx.query(lockContents, [hashes]);
    const unused = await tx.query(selectUnused, [hashes]);
    await Promise.all(unused.map(({ sha256 }) => deleteContent(sha256)));
  }

  /**
   * Deletes rows, and with `deleteContent` the contents that no other row names. The contents are
   * locked until the transaction is over: who uploads one anew waits, and puts it again.
   */
  async function deleteIn(
    tx: Queryable,
    names: readonly MediaName[],
    deleteContent: (sha256: string) => Promise<void>,
  ): Promise<void> {
    const gone = await tx.query(deleteRows, [
      names.map(({ origin }) => origin),
      names.map(({ mediaId }) => mediaId),
    ]);
    const hashes = gone.flatMap(({ sha256 }) => sha256 ?? []);
    await forgetIn(tx, hashes, deleteContent);
  }

  return {
    /** A page of them, after the given one. */
    async old(
      { isLocal, beforeTs, bytesMin, alsoMarked }: OldMedia,
      after: MediaName,
      max: number,
    ): Promise<Media[]> {
      const place = [after.origin, after.mediaId];
      const params = [isLocal, beforeTs, bytesMin, alsoMarked, place, max] as const;
      return (await database.query(selectOld, [...params])).map(mediaOf);
    },
    /** Ids that nothing was uploaded to in time, and images of previews from before a time. */
    expired: (nowTs: number, previewsBeforeTs: number, max: number) =>
      database.query(selectExpired, [nowTs, previewsBeforeTs, max]),
    /** Deletes media with their thumbnails and contents. Few at a time. */
    async delete(names: readonly MediaName[], deleteContent: (sha256: string) => Promise<void>) {
      await database.transaction((tx) => deleteIn(tx, names, deleteContent));
    },
    /** Deletes a content, unless a row names it. */
    async forget(sha256: string, deleteContent: (sha256: string) => Promise<void>) {
      await database.transaction((tx) => forgetIn(tx, [sha256], deleteContent));
    },
  };
}

export type DeletionRows = ReturnType<typeof createDeletionStore>;
