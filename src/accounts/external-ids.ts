import { isDuplicate, type Database } from '../database/database.ts';
import { MatrixError } from '../kernel/errors.ts';
import {
  replaceExternalIds,
  selectTakenExternalIds,
  selectUserByExternalId,
} from './store/external-ids.ts';

/** By which id an identity provider knows a user. */
export interface ExternalId {
  authProvider: string;
  externalId: string;
}

/** Ids of users at identity providers. */
export interface ExternalIds {
  /** The user id; null: nobody's. */
  userOf(id: ExternalId): Promise<string | null>;
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
