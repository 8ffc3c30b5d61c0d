import pg from 'pg';
import { columnTypes } from './column-types.ts';
import { PipelinedConnection, runAll, runOn } from './connection.ts';
import type { Database, Queryable } from './database.ts';
import { committingMsMax } from './positions.ts';
import { statement } from './statement.ts';
import type { AnyStatement } from './statement-batch.ts';

export interface DatabaseOptions {
  connection: pg.ClientConfig;
  /** Pipelined connections for single statements; default 2. */
  readConnections?: number;
  /** Connections for transactions; default 8. */
  poolSize?: number;
}

const begin = statement<never, unknown>('begin', 'begin');
const commit = statement<never, unknown>('commit', 'commit');

/** Tries of a transaction that lost against another one. */
const attemptsMax = 5;

function isConflict(error: unknown): boolean {
  const code = error instanceof pg.DatabaseError ? error.code : undefined;
  return code === '40001' || code === '40P01';
}

/** Opens a database over pipelined connections and a pool; see `Database`. Connects at first use. */
export function openDatabase(options: DatabaseOptions): Database {
  const connection = {
    application_name: 'lattice',
    keepAlive: true,
    ...options.connection,
  };
  const readers = Array.from(
    { length: options.readConnections ?? 2 },
    () => new PipelinedConnection(connection),
  );
  const lanes = new Map<string, PipelinedConnection>();
  const pool = new pg.Pool({
    ...connection,
    types: columnTypes,
    max: options.poolSize ?? 8,
  });
  // An idle connection that is lost is replaced when one is needed.
  pool.on('error', () => undefined);
  let turn = 0;

  function laneOf(name: string): PipelinedConnection {
    let lane = lanes.get(name);
    if (!lane) {
      const options = {
        ...connection,
        application_name: `lattice ${name}`,
        idle_in_transaction_session_timeout: committingMsMax,
      };
      lanes.set(name, (lane = new PipelinedConnection(options)));
    }
    return lane;
  }

  async function attempt<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await runOn(client, begin, []);
      const tx: Queryable = {
        query: (wanted, params) => runOn(client, wanted as AnyStatement, params) as Promise<never>,
      };
      const result = await work(tx);
      await runOn(client, commit, []);
      return result;
    } catch (error) {
      await client.query('rollback').catch((failure: unknown) => {
        broken = failure instanceof Error ? failure : new Error(String(failure));
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return {
    query(wanted, params) {
      turn = (turn + 1) % readers.length;
      return readers[turn]!.run(wanted as AnyStatement, params) as Promise<never>;
    },
    async transaction(work) {
      for (let tries = 1; ; tries++) {
        try {
          // oxlint-disable-next-line no-await-in-loop
          return await attempt(work);
        } catch (error) {
          if (!isConflict(error) || tries === attemptsMax) throw error;
        }
      }
    },
    async batch(name, items) {
      if (items.length === 0) return [];
      const lane = laneOf(name);
      return runAll(lane.current ?? (await lane.open()), items);
    },
    async close() {
      const connections = [...readers, ...lanes.values()];
      await Promise.all([...connections.map((each) => each.close()), pool.end()]);
    },
  };
}
