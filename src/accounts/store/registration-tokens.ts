import { statement } from '../../database/statement.ts';

const isUsable = `((expiry_ts is null or expiry_ts > $2)
     and (uses_allowed is null or completed + pending < uses_allowed))`;

export const selectRegistrationTokenUsable = statement<
  [token: string, nowTs: number],
  { isUsable: boolean }
>(
  'accounts.registration_token_usable',
  `select ${isUsable} as "isUsable" from registration_tokens where token = $1`,
);

/** A token as admins see it. */
export interface TokenRow {
  token: string;
  uses_allowed: number | null;
  pending: number;
  completed: number;
  /** Milliseconds since 1970. */
  expiry_time: number | null;
}

const columns = 'token, uses_allowed, pending, completed, expiry_ts as expiry_time';

/** `isUsable` null: all of them. */
export const selectRegistrationTokens = statement<
  [isUsable: boolean | null, nowTs: number],
  TokenRow
>(
  'accounts.registration_tokens',
  `select ${columns} from registration_tokens
   where $1::boolean is null or ${isUsable} = $1 order by token`,
);

export const selectRegistrationToken = statement<[token: string], TokenRow>(
  'accounts.registration_token',
  `select ${columns} from registration_tokens where token = $1`,
);

/** No row: there is one. */
export const insertRegistrationToken = statement<
  [token: string, usesAllowed: number | null, expiryTs: number | null],
  TokenRow
>(
  'accounts.insert_registration_token',
  `insert into registration_tokens (token, uses_allowed, expiry_ts) values ($1, $2, $3)
   on conflict (token) do nothing returning ${columns}`,
);

/** The flags say which limits are set. */
export const updateRegistrationToken = statement<
  [
    token: string,
    setsUses: boolean,
    usesAllowed: number | null,
    setsExpiry: boolean,
    expiryTs: number | null,
  ],
  TokenRow
>(
  'accounts.update_registration_token',
  `update registration_tokens
   set uses_allowed = case when $2 then $3 else uses_allowed end,
     expiry_ts = case when $4 then $5 else expiry_ts end
   where token = $1 returning ${columns}`,
);

export const deleteRegistrationToken = statement<[token: string], { token: string }>(
  'accounts.delete_registration_token',
  'delete from registration_tokens where token = $1 returning token',
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
