import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** An account that ends soon. */
export interface Expiring {
  userNid: number;
  userId: string;
  validUntilTs: number;
  addresses: string[];
}

const addresses = `array(
     select p.address from account_threepids p
     where p.user_nid = a.user_nid and p.medium = 'email' order by p.address) as addresses`;

/** Accounts of people that have no end yet get one, spread so that not all end together. */
const fillIn = statement<[validUntilTs: number, spreadMs: number, limit: number], { one: number }>(
  'account_validity.fill_in',
  `update accounts set valid_until_ts = $1 - floor(random() * $2)::bigint
   where user_nid in (
     select user_nid from accounts
     where valid_until_ts is null and not is_deactivated and not is_guest and appservice_id is null
     limit $3)
   returning 1 as one`,
);

/** Of several processes one takes each account. Not those without a mail address. */
const takeExpiring = statement<[beforeTs: number, limit: number], Expiring>(
  'account_validity.take_expiring',
  `with expiring as (
     select a.user_nid, u.user_id, a.valid_until_ts, ${addresses}
     from accounts a join users u using (user_nid) left join account_renewals r using (user_nid)
     where a.valid_until_ts <= $1 and not a.is_deactivated
       and r.told_of_ts is distinct from a.valid_until_ts
       and exists (select from account_threepids p
         where p.user_nid = a.user_nid and p.medium = 'email')
     order by a.valid_until_ts limit $2),
   taken as (
     insert into account_renewals as r (user_nid, told_of_ts)
       select user_nid, valid_until_ts from expiring
     on conflict (user_nid) do update set told_of_ts = excluded.told_of_ts
       where r.told_of_ts is distinct from excluded.told_of_ts
     returning user_nid)
   select user_nid as "userNid", user_id as "userId", valid_until_ts as "validUntilTs", addresses
   from expiring join taken using (user_nid)`,
);

const selectExpiry = statement<[userNid: number], Expiring & { validUntilTs: number | null }>(
  'account_validity.select',
  `select a.user_nid as "userNid", u.user_id as "userId", a.valid_until_ts as "validUntilTs",
     ${addresses}
   from accounts a join users u using (user_nid) where a.user_nid = $1`,
);

const setToken = statement<[userNid: number, tokenHash: Buffer], never>(
  'account_validity.set_token',
  `insert into account_renewals (user_nid, token_hash) values ($1, $2)
   on conflict (user_nid) do update set token_hash = excluded.token_hash, used_ts = null`,
);

/** The mails did not go out: there will be another attempt. */
const untell = statement<[userNid: number], never>(
  'account_validity.untell',
  'update account_renewals set told_of_ts = null where user_nid = $1',
);

/** `isUsed`: it was before. No row: there is no such token. */
const takeToken = statement<
  [tokenHash: Buffer, nowTs: number],
  { userNid: number; userId: string; isUsed: boolean; validUntilTs: number | null }
>(
  'account_validity.take_token',
  `with taken as (
     update account_renewals set used_ts = $2 where token_hash = $1 and used_ts is null
     returning user_nid)
   select r.user_nid as "userNid", u.user_id as "userId", a.valid_until_ts as "validUntilTs",
     not exists (select from taken) as "isUsed"
   from account_renewals r join users u using (user_nid) join accounts a using (user_nid)
   where r.token_hash = $1`,
);

/** `told`: the user needs no mail about this end. Tokens of earlier mails are void. */
const noteRenewal = statement<[userNid: number, toldOfTs: number | null], never>(
  'account_validity.note_renewal',
  `insert into account_renewals (user_nid, told_of_ts) values ($1, $2)
   on conflict (user_nid) do update set told_of_ts = excluded.told_of_ts, token_hash = null`,
);

export function createRenewalStore(database: Queryable) {
  return {
    /** How many got an end. */
    async fillIn(validUntilTs: number, spreadMs: number, limit: number): Promise<number> {
      return (await database.query(fillIn, [validUntilTs, spreadMs, limit])).length;
    },
    takeExpiring: (beforeTs: number, limit: number) =>
      database.query(takeExpiring, [beforeTs, limit]),
    async expiryOf(userNid: number) {
      return (await database.query(selectExpiry, [userNid]))[0]!;
    },
    setToken: (userNid: number, tokenHash: Buffer) =>
      database.query(setToken, [userNid, tokenHash]),
    untell: (userNid: number) => database.query(untell, [userNid]),
    async takeToken(tokenHash: Buffer, nowTs: number) {
      return (await database.query(takeToken, [tokenHash, nowTs]))[0] ?? null;
    },
    noteRenewal: (userNid: number, toldOfTs: number | null) =>
      database.query(noteRenewal, [userNid, toldOfTs]),
  };
}

export type RenewalStore = ReturnType<typeof createRenewalStore>;
