import { statement } from '../../database/statement.ts';

export const insertDeviceSession = statement<
  [authProvider: string, authSession: string, userNid: number, deviceId: string],
  object
>(
  'sso.insert_device_session',
  `insert into device_auth_sessions (auth_provider, auth_provider_session, user_nid, device_id)
   values ($1, $2, $3, $4) on conflict do nothing`,
);

export const deleteDeviceSessions = statement<[userNid: number, deviceIds: string[]], object>(
  'sso.delete_device_sessions',
  `delete from device_auth_sessions where user_nid = $1 and device_id = any($2::text[])`,
);

/** The devices of a session at a provider; its log-in tokens that nobody has used yet go. */
export const endAuthSession = statement<
  [authProvider: string, authSession: string],
  { userNid: number; userId: string; deviceIds: string[] }
>(
  'sso.end_auth_session',
  `with tokens as (
     delete from login_tokens where auth_provider_id = $1 and auth_provider_session_id = $2
   )
   select s.user_nid as "userNid", u.user_id as "userId", array_agg(s.device_id) as "deviceIds"
   from device_auth_sessions s join users u using (user_nid)
   where s.auth_provider = $1 and s.auth_provider_session = $2
   group by s.user_nid, u.user_id`,
);
