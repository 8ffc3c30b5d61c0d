import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { canonicalAddress } from './directory.ts';
import {
  deleteThreepid,
  insertThreepid,
  selectThreepids,
  type ThreepidRow,
} from './store/threepids.ts';

/** An address or number that somebody has proven to be theirs. */
export interface ProvenThreepid {
  medium: string;
  address: string;
  /** When, in milliseconds since 1970. */
  validatedTs: number;
}

/** E-mail addresses and phone numbers of accounts. */
export interface AccountThreepids {
  of(userNid: number): Promise<ThreepidRow[]>;
  /** Rejects with M_THREEPID_IN_USE when another account has it. */
  add(userNid: number, threepid: ProvenThreepid): Promise<void>;
  /** False: the account did not have it. */
  remove(userNid: number, medium: string, address: string): Promise<boolean>;
}

export function createAccountThreepids(database: Database, clock: Clock): AccountThreepids {
  return {
    of: (userNid) => database.query(selectThreepids, [userNid]),
    async add(userNid, { medium, address, validatedTs }) {
      const canonical = canonicalAddress(medium, address);
      const params = [userNid, medium, canonical, validatedTs, clock.now()] as const;
      if ((await database.query(insertThreepid, [...params])).length > 0) return;
      throw new MatrixError('M_THREEPID_IN_USE', `${canonical} belongs to another account`);
    },
    async remove(userNid, medium, address) {
      const canonical = canonicalAddress(medium, address);
      return (await database.query(deleteThreepid, [userNid, medium, canonical])).length > 0;
    },
  };
}
