import { statement } from '../../database/statement.ts';

export interface UiAuthSessionRow {
  sessionId: string;
  createdTs: number;
  operation: string;
  description: string;
  /** JSON text of the request body. */
  request: string;
  /** JSON text: stage → result. */
  completed: string;
  passwordHash: string | null;
  registeredUserId: string | null;
  registrationToken: string | null;
}

export const selectUiAuthSession = statement<[sessionId: string], UiAuthSessionRow>(
  'accounts.ui_auth_session',
  `select session_id as "sessionId", created_ts as "createdTs", operation, description, request,
     completed, password_hash as "passwordHash", registered_user_id as "registeredUserId",
     registration_token as "registrationToken"
   from ui_auth_sessions where session_id = $1`,
);

/** What other requests have added to the session meanwhile stays. */
export const upsertUiAuthSession = statement<
  [
    sessionId: string,
    createdTs: number,
    operation: string,
    description: string,
    request: string,
    completed: string,
    passwordHash: string | null,
    registeredUserId: string | null,
    registrationToken: string | null,
  ],
  object
>(
  'accounts.save_ui_auth_session',
  `insert into ui_auth_sessions
     (session_id, created_ts, operation, description, request, completed, password_hash,
      registered_user_id, registration_token)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
   on conflict (session_id) do update
     set request = excluded.request,
       completed = (ui_auth_sessions.completed::jsonb || excluded.completed::jsonb)::text,
       password_hash = coalesce(excluded.password_hash, ui_auth_sessions.password_hash),
       registration_token =
         coalesce(ui_auth_sessions.registration_token, excluded.registration_token)`,
);

/** Adds a stage completed elsewhere, for example on a page in the browser. No row: no session. */
export const completeUiAuthStage = statement<
  [sessionId: string, stage: string, result: string],
  { sessionId: string }
>(
  'accounts.complete_ui_auth_stage',
  `update ui_auth_sessions
     set completed = (completed::jsonb || jsonb_build_object($2::text, $3::jsonb))::text
   where session_id = $1 returning session_id as "sessionId"`,
);

/** Old sessions go, and give back the registration tokens they held. */
export const deleteOldUiAuthSessions = statement<[createdBeforeTs: number], object>(
  'accounts.delete_old_ui_auth_sessions',
  `with gone as (
     delete from ui_auth_sessions where created_ts < $1
     returning registration_token, registered_user_id
   ), freed as (
     select registration_token as token, count(*) as held from gone
     where registration_token is not null and registered_user_id is null
     group by registration_token
   )
   update registration_tokens t set pending = greatest(t.pending - freed.held, 0)
   from freed where t.token = freed.token`,
);
