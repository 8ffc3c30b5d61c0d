import { randomBytes } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Protocol, RendezvousSession, SessionStore } from './store/sessions.ts';

/** The largest payload, in bytes (MSC4108, "Maximum payload size"). */
export const dataBytesMax = 4_096;
/** How long two devices have for it all. */
const lifetimeMs = 120_000;
const idBytes = 16;
/** PostgreSQL's `integer`. */
const revisionMax = 2_147_483_647;

const notFound = () => new MatrixError('M_NOT_FOUND', 'No such rendezvous session');

/** A session's revision as text that clients bring back; 0, which none has, for anything else. */
export function revisionOf(text: string): number {
  const revision = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  return revision <= revisionMax ? revision : 0;
}

/** Sessions of one proposal. Unknown and expired ones: M_NOT_FOUND. */
export function createRendezvousSessions(store: SessionStore, clock: Clock, protocol: Protocol) {
  return {
    async create(data: Buffer): Promise<{ id: string; session: RendezvousSession }> {
      const id = randomBytes(idBytes).toString('base64url');
      const now = clock.now();
      const session = await store.create(id, protocol, data, now, now + lifetimeMs);
      if (!session) {
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many devices are being signed in', {
          extra: { retry_after_ms: lifetimeMs },
        });
      }
      return { id, session };
    },
    async get(id: string): Promise<RendezvousSession> {
      const session = await store.get(id, protocol, clock.now());
      if (!session) throw notFound();
      return session;
    },
    /** Writes unless somebody else has since that revision: then `current` is what there is. */
    async put(
      id: string,
      revision: number,
      data: Buffer,
    ): Promise<{ isWritten: boolean; current: RendezvousSession }> {
      const now = clock.now();
      const written = await store.update(id, protocol, revision, data, now);
      if (written) return { isWritten: true, current: written };
      const current = await store.get(id, protocol, now);
      if (!current) throw notFound();
      return { isWritten: false, current };
    },
    async delete(id: string): Promise<void> {
      if (!(await store.delete(id, protocol, clock.now()))) throw notFound();
    },
    expiresInMs: ({ expiresTs }: RendezvousSession) => expiresTs - clock.now(),
  };
}

export type RendezvousSessions = ReturnType<typeof createRendezvousSessions>;
