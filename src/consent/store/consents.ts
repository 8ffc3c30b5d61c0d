import { statement } from '../../database/statement.ts';

export interface ConsentRow {
  acceptedVersion: string | null;
  notifiedVersion: string | null;
  /** Milliseconds since 1970. */
  acceptedTs: number | null;
}

export const selectConsent = statement<[userNid: number], ConsentRow>(
  'consent.of_user',
  `select accepted_version as "acceptedVersion", notified_version as "notifiedVersion",
     accepted_ts as "acceptedTs"
   from user_consents where user_nid = $1`,
);

export const acceptVersion = statement<
  [userNid: number, version: string, acceptedTs: number],
  object
>(
  'consent.accept',
  `insert into user_consents (user_nid, accepted_version, accepted_ts) values ($1, $2, $3)
   on conflict (user_nid) do update
     set accepted_version = excluded.accepted_version, accepted_ts = excluded.accepted_ts`,
);

/** A row for whoever is first to tell the user of a version. */
export const noteNotified = statement<[userNid: number, version: string], { userNid: number }>(
  'consent.note_notified',
  `insert into user_consents (user_nid, notified_version) values ($1, $2)
   on conflict (user_nid) do update set notified_version = excluded.notified_version
     where user_consents.notified_version is distinct from excluded.notified_version
   returning user_nid as "userNid"`,
);
