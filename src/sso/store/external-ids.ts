import { statement } from '../../database/statement.ts';

export const selectUserByExternalId = statement<
  [authProvider: string, externalId: string],
  { userId: string }
>(
  'sso.user_by_external_id',
  `select u.user_id as "userId" from account_external_ids x join users u using (user_nid)
   where x.auth_provider = $1 and x.external_id = $2`,
);

/** No row: the id is another user's. */
export const insertExternalId = statement<
  [authProvider: string, externalId: string, userNid: number],
  { userNid: number }
>(
  'sso.insert_external_id',
  `insert into account_external_ids (auth_provider, external_id, user_nid) values ($1, $2, $3)
   on conflict (auth_provider, external_id) do nothing returning user_nid as "userNid"`,
);

/** The providers at which a user has been. */
export const selectProvidersOfUser = statement<[userId: string], { authProvider: string }>(
  'sso.providers_of_user',
  `select distinct x.auth_provider as "authProvider"
   from account_external_ids x join users u using (user_nid) where u.user_id = $1`,
);
