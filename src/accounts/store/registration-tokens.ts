import { statement } from '../../database/statement.ts';

const isUsable = `(expiry_ts is null or expiry_ts > $2)
     and (uses_allowed is null or completed + pending < uses_allowed)`;

export const selectRegistrationTokenUsable = statement<
  [token: string, nowTs: number],
  { isUsable: boolean }
>(
  'accounts.registration_token_usable',
  `select ${isUsable} as "isUsable" from registration_tokens where token = $1`,
);

/**
 * Counts a session in `pending`, once however often it is asked at the same time. Gives the token that
 * the session holds then; no row, or null: the token cannot be used (any more).
 */
export const holdRegistrationToken = statement<
  [token: string, nowTs: number, sessionId: string],
  { token: string | null }
>(
  'accounts.hold_registration_token',
  `with session as (
     select registration_token as token from ui_auth_sessions where session_id = $3 for update
   ), held as (
     update registration_tokens set pending = pending + 1
     where token = $1 and ${isUsable} and exists (select from session where token is null)
     returning token
   ), noted as (
     update ui_auth_sessions s set registration_token = held.token from held
     where s.session_id = $3
   )
   select coalesce((select token from session), (select token from held)) as token`,
);

/**
 * A session leads to an account now, and the token that it holds is used. No row: it has done so before.
 */
export const useSession = statement<[sessionId: string, username: string], { sessionId: string }>(
  'accounts.use_registration_session',
  `with used as (
     update ui_auth_sessions set registered_user_id = $2
     where session_id = $1 and registered_user_id is null
     returning session_id, registration_token as token
   ), counted as (
     update registration_tokens t
       set pending = greatest(pending - 1, 0), completed = completed + 1
     from used where t.token = used.token
   )
   select session_id as "sessionId" from used`,
);

/** It has led to none after all. */
export const reopenSession = statement<[sessionId: string], object>(
  'accounts.reopen_registration_session',
  `with reopened as (
     update ui_auth_sessions set registered_user_id = null where session_id = $1
     returning registration_token as token
   )
   update registration_tokens t
     set pending = pending + 1, completed = greatest(completed - 1, 0)
   from reopened where t.token = reopened.token`,
);
