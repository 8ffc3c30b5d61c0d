import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import {
  completeUiAuthStage,
  deleteOldUiAuthSessions,
  selectUiAuthSession,
  upsertUiAuthSession,
  type UiAuthSessionRow,
} from './store/ui-auth.ts';

/** A session of interactive authentication while a request is handled. */
export interface UiAuthSession {
  readonly id: string;
  readonly createdTs: number;
  readonly operation: string;
  readonly description: string;
  /** The request body without `auth` and passwords. */
  request: Record<string, unknown>;
  /** Stage → what the stage found out, for example the user id of a password. */
  completed: Record<string, unknown>;
  passwordHash: string | null;
  registeredUserId: string | null;
  registrationToken: string | null;
}

/** A session that is older is forgotten. */
const sessionKeptMs = 48 * 60 * 60 * 1000;

function parseSession(row: UiAuthSessionRow): UiAuthSession {
  return {
    id: row.sessionId,
    createdTs: row.createdTs,
    operation: row.operation,
    description: row.description,
    request: JSON.parse(row.request) as Record<string, unknown>,
    completed: JSON.parse(row.completed) as Record<string, unknown>,
    passwordHash: row.passwordHash,
    registeredUserId: row.registeredUserId,
    registrationToken: row.registrationToken,
  };
}

/** Sessions as any process finds them. */
export function createUiAuthSessions(database: Database, clock: Clock) {
  return {
    /** Null: there is none, or it is too old. */
    async load(id: string): Promise<UiAuthSession | null> {
      const [row] = await database.query(selectUiAuthSession, [id]);
      return row && row.createdTs > clock.now() - sessionKeptMs ? parseSession(row) : null;
    },
    async save(session: UiAuthSession): Promise<void> {
      await database.query(upsertUiAuthSession, [
        session.id,
        session.createdTs,
        session.operation,
        session.description,
        JSON.stringify(session.request),
        JSON.stringify(session.completed),
        session.passwordHash,
        session.registeredUserId,
        session.registrationToken,
      ]);
    },
    /** Notes that a stage is passed. False: there is no such session. */
    async complete(id: string, stage: string, result: unknown): Promise<boolean> {
      const params = [id, stage, JSON.stringify(result)] as const;
      return (await database.query(completeUiAuthStage, [...params])).length > 0;
    },
    async removeOld(): Promise<void> {
      await database.query(deleteOldUiAuthSessions, [clock.now() - sessionKeptMs]);
    },
  };
}
