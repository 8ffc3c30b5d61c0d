import { statement } from '../../database/statement.ts';

export const selectUserByExternalId = statement<
  [authProvider: string, externalId: string],
  { userId: string }
>(
  'accounts.by_external_id',
  `select u.user_id as "userId" from account_external_ids x join users u using (user_nid)
   where x.auth_provider = $1 and x.external_id = $2`,
);

/** No row: the id is somebody's. */
export const insertExternalId = statement<
  [authProvider: string, externalId: string, userNid: number],
  { userNid: number }
>(
  'accounts.insert_external_id',
  `insert into account_external_ids (auth_provider, external_id, user_nid) values ($1, $2, $3)
   on conflict (auth_provider, external_id) do nothing returning user_nid as "userNid"`,
);

/** The providers at which a user has been. */
export const selectProvidersOfUser = statement<[userId: string], { authProvider: string }>(
  'accounts.providers_of_user',
  `select distinct x.auth_provider as "authProvider"
   from account_external_ids x join users u using (user_nid) where u.user_id = $1`,
);

/** Those of the ids that other users have. */
export const selectTakenExternalIds = statement<
  [userNid: number, authProviders: string[], externalIds: string[]],
  { externalId: string }
>(
  'accounts.taken_external_ids',
  `select x.external_id as "externalId"
   from account_external_ids x
     join unnest($2::text[], $3::text[]) as w (auth_provider, external_id)
       using (auth_provider, external_id)
   where x.user_nid <> $1`,
);

/** What the user had beside the ids goes. */
export const replaceExternalIds = statement<
  [userNid: number, authProviders: string[], externalIds: string[]],
  object
>(
  'accounts.replace_external_ids',
  `with wanted as (
     select distinct * from unnest($2::text[], $3::text[]) as w (auth_provider, external_id)
   ), gone as (
     delete from account_external_ids x where x.user_nid = $1 and not exists (
       select from wanted w
       where w.auth_provider = x.auth_provider and w.external_id = x.external_id)
   )
   insert into account_external_ids (auth_provider, external_id, user_nid)
     select w.auth_provider, w.external_id, $1::bigint from wanted w where not exists (
       select from account_external_ids x where x.user_nid = $1
         and x.auth_provider = w.auth_provider and x.external_id = w.external_id)`,
);
