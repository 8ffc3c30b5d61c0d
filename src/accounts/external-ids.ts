import { isDuplicate, type Database } from '../database/database.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { ExternalId } from './registration.ts';
import {
  insertExternalId,
  replaceExternalIds,
  selectProvidersOfUser,
  selectTakenExternalIds,
  selectUserByExternalId,
} from './store/external-ids.ts';

/** Ids of users at identity providers. */
export interface ExternalIds {
  /** The user id; null: nobody's. */
  userOf(id: ExternalId): Promise<string | null>;
  /** Ids of the providers at which a user has been. */
  providersOf(userId: string): Promise<ReadonlySet<string>>;
  /** The id is the user's from now on; false: it is somebody's already. */
  add(userNid: number, id: ExternalId): Promise<boolean>;
  /** Rejects with M_UNKNOWN (409) when one of them is another user's. `userNid` 0: of a new user. */
  checkFree(userNid: number, ids: readonly ExternalId[]): Promise<void>;
  /** The user has these, and no others. Rejects as `checkFree`. */
  replace(userNid: number, ids: readonly ExternalId[]): Promise<void>;
}

const inUse = () => new MatrixError('M_UNKNOWN', 'External id is already in use.', { status: 409 });

export function createExternalIds(database: Database): ExternalIds {
  const columns = (ids: readonly ExternalId[]): [string[], string[]] => [
    ids.map(({ authProvider }) => authProvider),
    ids.map(({ externalId }) => externalId),
  ];
  return {
    async userOf({ authProvider, externalId }) {
      const [row] = await database.query(selectUserByExternalId, [authProvider, externalId]);
      return row?.userId ?? null;
    },
    async providersOf(userId) {
      const rows = await database.query(selectProvidersOfUser, [userId]);
      return new Set(rows.map(({ authProvider }) => authProvider));
    },
    async add(userNid, { authProvider, externalId }) {
      const params = [authProvider, externalId, userNid] as const;
      return (await database.query(insertExternalId, [...params])).length > 0;
    },
    async checkFree(userNid, ids) {
      const taken = await database.query(selectTakenExternalIds, [userNid, ...columns(ids)]);
      if (taken.length > 0) throw inUse();
    },
    async replace(userNid, ids) {
      try {
        await database.query(replaceExternalIds, [userNid, ...columns(ids)]);
      } catch (error) {
        throw isDuplicate(error, 'account_external_ids_pkey') ? inUse() : error;
      }
    },
  };
}
