import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { FailingServer } from '../shared-back-off.ts';

const selectFailing = statement<[limit: number], FailingServer>(
  'select_failing_destinations',
  `select server_name as "serverName", failing_since_ts as "sinceTs", retry_last_ts as "lastTs",
     retry_interval_ms as "intervalMs"
   from federation_destinations where failing_since_ts is not null
   order by retry_last_ts desc limit $1`,
);

const updateRetries = statement<
  [
    serverNames: string[],
    sinceTs: (number | null)[],
    lastTs: (number | null)[],
    intervalsMs: (number | null)[],
  ],
  never
>(
  'update_destination_retries',
  `update federation_destinations d
     set failing_since_ts = w.since_ts, retry_last_ts = w.last_ts,
       retry_interval_ms = w.interval_ms
     from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
       as w(server_name, since_ts, last_ts, interval_ms)
     where d.server_name = w.server_name`,
);

/** Which of the servers that something is sent to do not answer. */
export function createRetryStore(database: Queryable) {
  return {
    /** Those that failed last, at most `limit`. */
    failing: (limit: number) => database.query(selectFailing, [limit]),
    /** How servers are now; null: they answer. Only those are kept that something is sent to. */
    save(servers: readonly (readonly [serverName: string, failing: FailingServer | null])[]) {
      return database.query(updateRetries, [
        servers.map(([name]) => name),
        servers.map(([, failing]) => failing?.sinceTs ?? null),
        servers.map(([, failing]) => failing?.lastTs ?? null),
        servers.map(([, failing]) => failing?.intervalMs ?? null),
      ]);
    },
  };
}

export type RetryStore = ReturnType<typeof createRetryStore>;
