import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** A backup; `authData` is JSON text. */
export interface Backup {
  version: number;
  algorithm: string;
  authData: string;
  etag: number;
  keyCount: number;
}

const columns = `version, algorithm, auth_data as "authData", etag, key_count as "keyCount"`;

const insertBackup = statement<
  [userNid: number, algorithm: string, authData: string],
  { version: number }
>(
  'insert_key_backup',
  'insert into key_backups (user_nid, algorithm, auth_data) values ($1, $2, $3) returning version',
);

const selectBackup = statement<[userNid: number, version: number], Backup>(
  'select_key_backup',
  `select ${columns} from key_backups where user_nid = $1 and version = $2`,
);

const selectNewest = statement<[userNid: number], Backup>(
  'select_newest_key_backup',
  `select ${columns} from key_backups where user_nid = $1 order by version desc limit 1`,
);

/** `isKnown` without `isUpdated`: the algorithm is another. */
const updateAuthData = statement<
  [userNid: number, version: number, algorithm: string, authData: string],
  { isKnown: boolean; isUpdated: boolean }
>(
  'update_key_backup',
  `with updated as (
     update key_backups set auth_data = $4
     where user_nid = $1 and version = $2 and algorithm = $3 returning 1)
   select exists (select from key_backups where user_nid = $1 and version = $2) as "isKnown",
     exists (select from updated) as "isUpdated"`,
);

const deleteBackup = statement<[userNid: number, version: number], { isDeleted: boolean }>(
  'delete_key_backup',
  `with deleted as (
     delete from key_backups where user_nid = $1 and version = $2 returning 1),
   keys as (delete from backed_up_keys where user_nid = $1 and version = $2)
   select exists (select from deleted) as "isDeleted"`,
);

const deleteBackups = statement<[userNid: number], never>(
  'delete_key_backups',
  `with keys as (delete from backed_up_keys where user_nid = $1)
   delete from key_backups where user_nid = $1`,
);

/** The users' backups; of several only the newest takes keys. */
export function createBackupStore(database: Queryable) {
  return {
    async create(userNid: number, algorithm: string, authData: string): Promise<number> {
      return (await database.query(insertBackup, [userNid, algorithm, authData]))[0]!.version;
    },
    async get(userNid: number, version: number): Promise<Backup | null> {
      return (await database.query(selectBackup, [userNid, version]))[0] ?? null;
    },
    async newest(userNid: number): Promise<Backup | null> {
      return (await database.query(selectNewest, [userNid]))[0] ?? null;
    },
    async setAuthData(userNid: number, version: number, algorithm: string, authData: string) {
      const params = [userNid, version, algorithm, authData] as const;
      return (await database.query(updateAuthData, [...params]))[0]!;
    },
    /** With its keys. False: there was none. */
    async delete(userNid: number, version: number): Promise<boolean> {
      return (await database.query(deleteBackup, [userNid, version]))[0]!.isDeleted;
    },
    deleteAll: (userNid: number) => database.query(deleteBackups, [userNid]),
  };
}

export type BackupStore = ReturnType<typeof createBackupStore>;
