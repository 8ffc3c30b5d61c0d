import { statement } from '../../database/statement.ts';

/** An identifier as `GET /account/3pid` shows it. */
export interface ThreepidRow {
  medium: string;
  address: string;
  validated_at: number;
  added_at: number;
}

export const selectThreepids = statement<[userNid: number], ThreepidRow>(
  'accounts.threepids',
  `select medium, address, validated_ts as validated_at, added_ts as added_at
   from account_threepids where user_nid = $1 order by added_ts`,
);
