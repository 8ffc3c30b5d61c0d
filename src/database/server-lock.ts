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

/** How long to wait for a process that is just going away. */
const attempts = 20;
const pauseMs = 250;

/**
 * Takes the database for this process, or for all the processes of one server that know of each
 * other: others that write rooms would spoil them. The lock lives as long as its connection. `onLost` is called when the connection breaks and the
 * lock could not be had again. Throws DatabaseInUse.
 */
export async function acquireServerLock(
  connection: pg.ClientConfig,
  mode: 'alone' | 'among others',
  onLost: (error: Error) => void,
): Promise<{ release(): Promise<void> }> {
  let isReleased = false;
  let client: pg.Client | null = null;

  async function acquire(): Promise<void> {
    const next = new pg.Client({ ...connection, application_name: `lattice ${process.pid}` });
    next.on('error', () => undefined);
    next.on('end', () => {
      if (isReleased || client !== next) return;
      client = null;
      acquireWithRetries().catch(onLost);
    });
    await next.connect();
    const { rows } = await next.query<{ taken: boolean }>(
      mode === 'alone'
        ? 'select pg_try_advisory_lock($1) as taken'
        : 'select pg_try_advisory_lock_shared($1) as taken',
      [serverLock],
    );
    if (rows[0]!.taken) {
      client = next;
      return;
    }
    const holder = await next
      .query<{ name: string }>(
        `select a.application_name as name from pg_locks l join pg_stat_activity a using (pid)
       where l.locktype = 'advisory' and l.granted and l.objid = $1::bigint::bit(32)::int::oid`,
        [serverLock],
      )
      .catch(() => ({ rows: [] as { name: string }[] }));
    await next.end();
    throw new DatabaseInUse(holder.rows[0]?.name ?? 'unknown');
  }

  async function acquireWithRetries(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        // oxlint-disable-next-line no-await-in-loop
        return await acquire();
      } catch (error) {
        if (tries === attempts || isReleased) throw error;
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  await acquireWithRetries();
  return {
    async release() {
      isReleased = true;
      await client?.end().catch(() => undefined);
    },
  };
}
