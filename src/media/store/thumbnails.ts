import type { Database } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** Which thumbnail of which media. */
export interface ThumbnailKey {
  origin: string;
  mediaId: string;
  width: number;
  height: number;
  method: 'crop' | 'scale';
  isAnimated: boolean;
}

export interface Thumbnail {
  sha256: string;
  bytes: number;
  contentType: string;
}

type KeyParams = [string, string, number, number, string, boolean];

const selectThumbnail = statement<KeyParams, Thumbnail>(
  'select_media_thumbnail',
  `select encode(sha256, 'hex') as sha256, bytes, content_type as "contentType"
   from media_thumbnails
   where origin = $1 and media_id = $2 and width = $3 and height = $4 and method = $5
     and is_animated = $6`,
);

/** Only for media that are there still; see `media.ts` about the lock. */
const insertThumbnail = statement<
  [
    sha256: string,
    bytes: number,
    contentType: string,
    origin: string,
    mediaId: string,
    width: number,
    height: number,
    method: string,
    isAnimated: boolean,
  ],
  { isKept: boolean }
>(
  'insert_media_thumbnail',
  `with locked as materialized (
     select pg_advisory_xact_lock(hashtextextended($1, 0)), decode($1, 'hex') as sha256)
   insert into media_thumbnails
       (origin, media_id, width, height, method, is_animated, content_type, bytes, sha256)
     select origin, media_id, $6, $7, $8, $9, $3, $2, locked.sha256
     from media, locked where origin = $4 and media_id = $5 for key share of media
   on conflict (origin, media_id, width, height, method, is_animated)
     do update set sha256 = media_thumbnails.sha256
   returning sha256 = decode($1, 'hex') as "isKept"`,
);

const paramsOf = (key: ThumbnailKey): KeyParams => [
  key.origin,
  key.mediaId,
  key.width,
  key.height,
  key.method,
  key.isAnimated,
];

export function createThumbnailStore(database: Database) {
  return {
    async find(key: ThumbnailKey): Promise<Thumbnail | null> {
      return (await database.query(selectThumbnail, paramsOf(key)))[0] ?? null;
    },
    /** False: the media are gone, or there is another thumbnail already; the content is not named. */
    async insert(key: ThumbnailKey, { sha256, bytes, contentType }: Thumbnail): Promise<boolean> {
      const params = [sha256, bytes, contentType, ...paramsOf(key)] as const;
      const [row] = await database.query(insertThumbnail, [...params]);
      return row?.isKept ?? false;
    },
  };
}

export type ThumbnailRows = ReturnType<typeof createThumbnailStore>;
