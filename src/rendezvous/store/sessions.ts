import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** The proposal by whose endpoints a session is reached. */
export type Protocol = 4108 | 4388;

export interface RendezvousSession {
  data: Buffer;
  /** Grows with every change. */
  revision: number;
  modifiedTs: number;
  expiresTs: number;
}

const columns = `data, revision, modified_ts as "modifiedTs", expires_ts as "expiresTs"`;

const insertSession = statement<
  [id: string, protocol: Protocol, data: Buffer, nowTs: number, expiresTs: number, max: number],
  RendezvousSession
>(
  'insert_rendezvous_session',
  `with expired as (delete from rendezvous_sessions where expires_ts <= $4)
   insert into rendezvous_sessions (session_id, protocol, data, modified_ts, expires_ts)
     select $1, $2, $3, $4, $5
     where (select count(*) from rendezvous_sessions where expires_ts > $4) < $6
   returning ${columns}`,
);

const selectSession = statement<[string, Protocol, nowTs: number], RendezvousSession>(
  'select_rendezvous_session',
  `select ${columns} from rendezvous_sessions
   where session_id = $1 and protocol = $2 and expires_ts > $3`,
);

const updateSession = statement<
  [string, Protocol, revision: number, data: Buffer, nowTs: number],
  RendezvousSession
>(
  'update_rendezvous_session',
  `update rendezvous_sessions set data = $4, revision = revision + 1, modified_ts = $5
   where session_id = $1 and protocol = $2 and revision = $3 and expires_ts > $5
   returning ${columns}`,
);

const deleteSession = statement<[string, Protocol, nowTs: number], { known: boolean }>(
  'delete_rendezvous_session',
  `delete from rendezvous_sessions where session_id = $1 and protocol = $2
   returning expires_ts > $3 as known`,
);

const deleteExpired = statement<[nowTs: number], never>(
  'delete_expired_rendezvous_sessions',
  'delete from rendezvous_sessions where expires_ts <= $1',
);

/** Sessions at one time, whoever made them; with the size of each it bounds what strangers store. */
const sessionsMax = 2_000;

export function createSessionStore(database: Queryable) {
  return {
    /** Null: there are too many already. */
    async create(id: string, protocol: Protocol, data: Buffer, nowTs: number, expiresTs: number) {
      const params = [id, protocol, data, nowTs, expiresTs, sessionsMax] as const;
      return (await database.query(insertSession, [...params]))[0] ?? null;
    },
    async get(id: string, protocol: Protocol, nowTs: number) {
      return (await database.query(selectSession, [id, protocol, nowTs]))[0] ?? null;
    },
    /** Null: there is none, or it has changed since that revision. */
    async update(id: string, protocol: Protocol, revision: number, data: Buffer, nowTs: number) {
      const params = [id, protocol, revision, data, nowTs] as const;
      return (await database.query(updateSession, [...params]))[0] ?? null;
    },
    async delete(id: string, protocol: Protocol, nowTs: number): Promise<boolean> {
      return (await database.query(deleteSession, [id, protocol, nowTs]))[0]?.known ?? false;
    },
    deleteExpired: (nowTs: number) => database.query(deleteExpired, [nowTs]),
  };
}

export type SessionStore = ReturnType<typeof createSessionStore>;
