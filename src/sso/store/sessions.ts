import { statement } from '../../database/statement.ts';

export interface SsoSessionRow {
  /** JSON text. */
  content: string;
}

/** A new session, or what a session of the same id has become. */
export const upsertSsoSession = statement<
  [sessionId: string, browserHash: Buffer, kind: string, content: string, validUntilTs: number],
  object
>(
  'sso.save_session',
  `insert into sso_sessions (session_id, browser_hash, kind, content, valid_until_ts)
   values ($1, $2, $3, $4, $5)
   on conflict (session_id) do update set content = excluded.content`,
);

export const selectSsoSession = statement<
  [sessionId: string, browserHash: Buffer, kind: string, nowTs: number],
  SsoSessionRow
>(
  'sso.session',
  `select content from sso_sessions
   where session_id = $1 and browser_hash = $2 and kind = $3 and valid_until_ts > $4`,
);

/** Only the browser that has begun a session can end it. */
export const takeSsoSession = statement<
  [sessionId: string, browserHash: Buffer, kind: string, nowTs: number],
  SsoSessionRow
>(
  'sso.take_session',
  `delete from sso_sessions
   where session_id = $1 and browser_hash = $2 and kind = $3 and valid_until_ts > $4
   returning content`,
);

export const deleteExpiredSsoSessions = statement<[nowTs: number], object>(
  'sso.delete_expired_sessions',
  `delete from sso_sessions where valid_until_ts <= $1`,
);
