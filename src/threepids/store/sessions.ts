import { statement } from '../../database/statement.ts';

/** A row when this attempt is a new one; none when it was sent before. */
export const startAttempt = statement<
  [
    sessionId: string,
    medium: string,
    address: string,
    clientSecret: string,
    sendAttempt: number,
    createdTs: number,
  ],
  { sessionId: string }
>(
  'threepids.start_attempt',
  `insert into threepid_sessions
     (session_id, medium, address, client_secret, send_attempt, created_ts)
   values ($1, $2, $3, $4, $5, $6)
   on conflict (medium, address, client_secret) do update set send_attempt = excluded.send_attempt
     where threepid_sessions.send_attempt < excluded.send_attempt
   returning session_id as "sessionId"`,
);

export const selectSessionOfClient = statement<
  [medium: string, address: string, clientSecret: string],
  { sessionId: string }
>(
  'threepids.session_of_client',
  `select session_id as "sessionId" from threepid_sessions
   where medium = $1 and address = $2 and client_secret = $3`,
);

/** The mail was not sent: the same attempt may be made again. */
export const undoAttempt = statement<[sessionId: string, sendAttempt: number], object>(
  'threepids.undo_attempt',
  `update threepid_sessions set send_attempt = $2 - 1
   where session_id = $1 and send_attempt = $2`,
);

export const insertToken = statement<
  [sessionId: string, tokenHash: Buffer, nextLink: string | null, expiresTs: number],
  object
>(
  'threepids.insert_token',
  `insert into threepid_tokens (session_id, token_hash, next_link, expires_ts)
   values ($1, $2, $3, $4)`,
);

/** The session of a token, unless the token is too old and has not been used. */
export const submitToken = statement<
  [sessionId: string, clientSecret: string, tokenHash: Buffer, now: number],
  { nextLink: string | null }
>(
  'threepids.submit_token',
  `with found as (
     select s.session_id, t.next_link from threepid_sessions s
       join threepid_tokens t on t.session_id = s.session_id
     where s.session_id = $1 and s.client_secret = $2 and t.token_hash = $3
       and (s.validated_ts is not null or t.expires_ts > $4)
   ), validated as (
     update threepid_sessions set validated_ts = $4
     where session_id = (select session_id from found) and validated_ts is null
   )
   select next_link as "nextLink" from found`,
);

export interface ValidatedRow {
  medium: string;
  address: string;
  validatedTs: number;
}

export const selectValidated = statement<[sessionId: string, clientSecret: string], ValidatedRow>(
  'threepids.validated',
  `select medium, address, validated_ts as "validatedTs" from threepid_sessions
   where session_id = $1 and client_secret = $2 and validated_ts is not null`,
);

export const deleteSession = statement<[sessionId: string], object>(
  'threepids.delete_session',
  `delete from threepid_sessions where session_id = $1`,
);

export const deleteOldSessions = statement<[createdBeforeTs: number], object>(
  'threepids.delete_old_sessions',
  `delete from threepid_sessions where created_ts < $1`,
);
