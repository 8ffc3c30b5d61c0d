import type { Database } from '../../database/database.ts';
import { statement, type Statement } from '../../database/statement.ts';
import type { MediaName } from './delete-media.ts';
import { mediaColumns, mediaOf, type Media, type MediaRow } from './media.ts';

/** What lists can be ordered by, and the column it is. */
const orderColumns = {
  media_id: 'media_id',
  upload_name: 'file_name',
  created_ts: 'created_ts',
  last_access_ts: 'last_access_ts',
  media_length: 'bytes',
  media_type: 'content_type',
  quarantined_by: 'quarantined_by',
  safe_from_quarantine: 'is_protected',
} as const;
export type MediaOrder = keyof typeof orderColumns;
export const mediaOrders = Object.keys(orderColumns) as MediaOrder[];

type Listed = Statement<[userNid: number, from: number, limit: number], MediaRow>;
const lists = new Map<string, Listed>();
for (const [order, column] of Object.entries(orderColumns)) {
  for (const direction of ['f', 'b']) {
    const name = `list_media_by_${order}_${direction}`;
    const text = `select ${mediaColumns} from media
      where origin = '' and user_nid = $1 and sha256 is not null
      order by ${column} ${direction === 'b' ? 'desc' : 'asc'}, media_id limit $3 offset $2`;
    lists.set(`${order} ${direction}`, statement(name, text));
  }
}

const countMedia = statement<[userNid: number], { total: number }>(
  'count_media_of_user',
  `select count(*) as total from media
   where origin = '' and user_nid = $1 and sha256 is not null`,
);

const selectHashes = statement<[string[], string[]], { sha256: string }>(
  'select_media_hashes',
  `select distinct encode(media.sha256, 'hex') as sha256
   from media join unnest($1::text[], $2::text[]) as named (origin, media_id)
     on media.origin = named.origin and media.media_id = named.media_id
   where media.sha256 is not null and not media.is_protected`,
);

const selectHashesOfUser = statement<[userNid: number], { sha256: string }>(
  'select_media_hashes_of_user',
  `select distinct encode(sha256, 'hex') as sha256 from media
   where origin = '' and user_nid = $1 and sha256 is not null and not is_protected`,
);

/** Everything with one of the contents; what is protected stays. */
const quarantine = statement<[hashes: string[], by: string], { count: number }>(
  'quarantine_media',
  `with found as (
     update media set quarantined_by = $2
     where sha256 in (select decode(hash, 'hex') from unnest($1::text[]) as hash)
       and quarantined_by is null and not is_protected
     returning origin, media_id),
   noted as (
     insert into quarantine_changes (origin, media_id, is_quarantined)
       select origin, media_id, true from found)
   select count(*) as count from found`,
);

const unquarantine = statement<[origin: string, mediaId: string], { count: number }>(
  'unquarantine_media',
  `with found as (
     update media set quarantined_by = null
     where quarantined_by is not null and (
       (origin = $1 and media_id = $2)
       or sha256 = (select sha256 from media where origin = $1 and media_id = $2))
     returning origin, media_id),
   noted as (
     insert into quarantine_changes (origin, media_id, is_quarantined)
       select origin, media_id, false from found)
   select count(*) as count from found`,
);

const protect = statement<[mediaId: string, isProtected: boolean], { mediaId: string }>(
  'protect_media',
  `update media set is_protected = $2 where origin = '' and media_id = $1
   returning media_id as "mediaId"`,
);

export interface QuarantineChange {
  changeId: number;
  origin: string;
  mediaId: string;
  isQuarantined: boolean;
}

const selectChanges = statement<[after: number, max: number], QuarantineChange>(
  'select_quarantine_changes',
  `select change_id as "changeId", origin, media_id as "mediaId", is_quarantined as "isQuarantined"
   from quarantine_changes where change_id > $1 order by change_id limit $2`,
);

export function createAdminMediaStore(database: Database) {
  const hashesOf = async (rows: Promise<{ sha256: string }[]>) =>
    (await rows).map(({ sha256 }) => sha256);
  const counted = async (rows: Promise<{ count: number }[]>) => (await rows)[0]!.count;
  return {
    async list(
      userNid: number,
      {
        order,
        direction,
        from,
        limit,
      }: {
        order: MediaOrder;
        direction: 'f' | 'b';
        from: number;
        limit: number;
      },
    ): Promise<Media[]> {
      const listed = lists.get(`${order} ${direction}`)!;
      return (await database.query(listed, [userNid, from, limit])).map(mediaOf);
    },
    async count(userNid: number): Promise<number> {
      return (await database.query(countMedia, [userNid]))[0]!.total;
    },
    /** SHA-256, in hexadecimal, of what may be put into quarantine. */
    hashes: (names: readonly MediaName[]) =>
      hashesOf(
        database.query(selectHashes, [
          names.map(({ origin }) => origin),
          names.map(({ mediaId }) => mediaId),
        ]),
      ),
    hashesOfUser: (userNid: number) => hashesOf(database.query(selectHashesOfUser, [userNid])),
    /** Gives how many are in quarantine that were not. */
    quarantine: (hashes: string[], by: string) => counted(database.query(quarantine, [hashes, by])),
    unquarantine: (origin: string, mediaId: string) =>
      counted(database.query(unquarantine, [origin, mediaId])),
    /** False: there is no such media. */
    async protect(mediaId: string, isProtected: boolean): Promise<boolean> {
      return (await database.query(protect, [mediaId, isProtected])).length > 0;
    },
    changes: (after: number, max: number) => database.query(selectChanges, [after, max]),
  };
}

export type AdminRows = ReturnType<typeof createAdminMediaStore>;
