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

/** No row: another account has it. */
export const insertThreepid = statement<
  [userNid: number, medium: string, address: string, validatedTs: number, addedTs: number],
  { userNid: number }
>(
  'accounts.add_threepid',
  `insert into account_threepids (user_nid, medium, address, validated_ts, added_ts)
   values ($1, $2, $3, $4, $5)
   on conflict (medium, address) do update set validated_ts = excluded.validated_ts
     where account_threepids.user_nid = excluded.user_nid
   returning user_nid as "userNid"`,
);

export const deleteThreepid = statement<
  [userNid: number, medium: string, address: string],
  { userNid: number }
>(
  'accounts.delete_threepid',
  `delete from account_threepids where user_nid = $1 and medium = $2 and address = $3
   returning user_nid as "userNid"`,
);
