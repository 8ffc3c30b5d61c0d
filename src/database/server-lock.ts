import pg from 'pg';

/** Held by the process that serves a database. */
const serverLock = 7_106_402_002;

/** Another process serves the database already. */
export class DatabaseInUse extends Error {
  constructor(who: string) {
    super(`another Lattice process uses this database already (${who})`);
    this.name = 'DatabaseInUse';
  }
}

export interface ServerLockOptions {
  /** Another process has it now. */
  onLost(error: DatabaseInUse): void;
  /** The database could not be asked again whether the lock is ours still; it is tried on. */
  onAway(error: Error): void;
  /** It is ours again. */
  onBack(): void;
  /** How often and how soon to ask while another process has it, which may be just going away. */
  tries?: number;
  pauseMs?: number;
}

const holderQuery = `select a.application_name as name from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and l.objid = $1::bigint::bit(32)::int::oid`;

/**
 * Takes the database for this process, or for all the processes of one server that know of each
 * other: others that write rooms would spoil them. The lock lives as long as its connection; when
 * that breaks, it is taken anew as soon as the database can be reached. Throws DatabaseInUse, or
 * that the database cannot be reached.
 */
export async function acquireServerLock(
  connection: pg.ClientConfig,
  mode: 'alone' | 'among others',
  { onLost, onAway, onBack, tries = 20, pauseMs = 250 }: ServerLockOptions,
): Promise<{ release(): Promise<void> }> {
  const name = `lattice ${process.pid}`;
  let isReleased = false;
  let client: pg.Client | null = null;
  /** The database's process of the connection that had it. */
  let backend = 0;

  /** Gives who has it, or null when it is ours now. */
  async function acquire(): Promise<string | null> {
    const next = new pg.Client({ ...connection, application_name: name });
    next.on('error', () => undefined);
    next.on('end', () => {
      if (isReleased || client !== next) return;
      client = null;
      void keep();
    });
    await next.connect();
    try {
      // Where the network broke, the database may not know yet that our last connection is gone.
      await next.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and application_name = $2',
        [backend, name],
      );
      const { rows } = await next.query<{ taken: boolean; backend: number }>(
        mode === 'alone'
          ? 'select pg_try_advisory_lock($1) as taken, pg_backend_pid() as backend'
          : 'select pg_try_advisory_lock_shared($1) as taken, pg_backend_pid() as backend',
        [serverLock],
      );
      if (rows[0]!.taken) {
        backend = rows[0]!.backend;
        client = next;
        return null;
      }
      const holder = await next.query<{ name: string }>(holderQuery, [serverLock]);
      return holder.rows[0]?.name ?? 'unknown';
    } finally {
      if (client !== next) await next.end().catch(() => undefined);
    }
  }

  const pause = () => new Promise((resolve) => setTimeout(resolve, pauseMs));

  /** Takes it anew, however long the database is away. */
  async function keep(): Promise<void> {
    // oxlint-disable-next-line no-unmodified-loop-condition -- `release` does
    for (let refusals = 0; !isReleased;) {
      try {
        // oxlint-disable-next-line no-await-in-loop
        const holder = await acquire();
        if (holder === null) break;
        if (++refusals === tries) {
          onLost(new DatabaseInUse(holder));
          return;
        }
      } catch (error) {
        onAway(error as Error);
      }
      // oxlint-disable-next-line no-await-in-loop
      await pause();
    }
    // It was released meanwhile.
    if (isReleased) await client?.end().catch(() => undefined);
    else onBack();
  }

  for (let refusals = 1; ; refusals++) {
    // oxlint-disable-next-line no-await-in-loop
    const holder = await acquire();
    if (holder === null) break;
    if (refusals === tries) throw new DatabaseInUse(holder);
    // oxlint-disable-next-line no-await-in-loop
    await pause();
  }
  return {
    async release() {
      isReleased = true;
      await client?.end().catch(() => undefined);
    },
  };
}
