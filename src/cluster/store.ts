import type { Database } from '../database/database.ts';
import { statement } from '../database/statement.ts';

/** A process of the server, as the others see it. */
export interface WorkerRow {
  instance: string;
  name: string;
  app: string;
  version: string;
  address: string | null;
  http: string | null;
  roles: string[];
  isDraining: boolean;
  isAlive: boolean;
  /** JSON. */
  stats: string;
  /** Seconds since it started. */
  age: number;
}

export interface LeaseRow {
  role: string;
  shard: number;
  holder: string | null;
  epoch: number;
}

/** A process that has not been seen for so long is taken for dead. */
export const deadAfterMs = 3_000;
/** Processes that have been dead for so long are forgotten. */
const forgottenAfterMs = 3_600_000;

const dead = `interval '${deadAfterMs} ms'`;

const register = statement<
  [string, string, string, string, string | null, string | null, string[]],
  never
>(
  'register_worker',
  `insert into workers (instance, name, app, version, address, http, roles)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (instance) do update set seen_at = clock_timestamp()`,
);

const beat = statement<[string, boolean, string], { instance: string }>(
  'worker_heartbeat',
  `update workers set seen_at = clock_timestamp(), draining = $2, stats = $3
     where instance = $1 returning instance`,
);

const selectWorkers = statement<[], WorkerRow>(
  'select_workers',
  `select instance, name, app, version, address, http, roles, draining as "isDraining", stats,
       seen_at > clock_timestamp() - ${dead} as "isAlive",
       extract(epoch from clock_timestamp() - started_at)::float8 as age
     from workers order by app, name, started_at`,
);

const selectLeases = statement<[], LeaseRow>(
  'select_leases',
  'select role, shard, holder, epoch from leases',
);

const addLeases = statement<[string[], number[]], never>(
  'add_leases',
  `insert into leases (role, shard)
     select r, s from unnest($1::text[], $2::integer[]) as i(r, s)
     on conflict do nothing`,
);

const take = statement<[string, string, number[]], LeaseRow>(
  'take_leases',
  `select role, shard, holder, epoch from take_leases($1, $2, $3::integer[], ${dead})`,
);

const giveBack = statement<[string, string[], number[]], never>(
  'give_back_leases',
  `update leases l set holder = null
     from unnest($2::text[], $3::integer[]) as i(r, s)
     where l.role = i.r and l.shard = i.s and l.holder = $1`,
);

const remove = statement<[string], never>(
  'remove_worker',
  `with gone as (delete from workers where instance = $1)
   update leases set holder = null where holder = $1`,
);

const forget = statement<[], never>(
  'forget_dead_workers',
  `delete from workers w where seen_at < clock_timestamp() - interval '${forgottenAfterMs} ms'
     and not exists (select from leases where holder = w.instance)`,
);

const addSecret = statement<[string], never>(
  'add_cluster_secret',
  'insert into cluster_secret (secret) values ($1) on conflict do nothing',
);
const selectSecret = statement<[], { secret: string }>(
  'select_cluster_secret',
  'select secret from cluster_secret',
);

/** Processes and leases in the database. */
export function createClusterStore(database: Database) {
  return {
    register: (
      worker: Pick<WorkerRow, 'instance' | 'name' | 'app' | 'version' | 'roles'> & {
        address: string | null;
        http: string | null;
      },
    ) =>
      database.query(register, [
        worker.instance,
        worker.name,
        worker.app,
        worker.version,
        worker.address,
        worker.http,
        worker.roles,
      ]),
    /** Whether the process is still known. */
    async beat(instance: string, isDraining: boolean, stats: string) {
      return (await database.query(beat, [instance, isDraining, stats])).length > 0;
    },
    workers: () => database.query(selectWorkers, []),
    leases: () => database.query(selectLeases, []),
    /** Makes the rows of roles; those that exist stay as they are. */
    addLeases: (roles: readonly { name: string; shards: number }[]) => {
      const names = roles.flatMap(({ name, shards }) => Array<string>(shards).fill(name));
      const shards = roles.flatMap((role) => Array.from({ length: role.shards }, (_, i) => i));
      return database.query(addLeases, [names, shards]);
    },
    /** Takes those of the shards that nobody alive holds. */
    take: (instance: string, role: string, shards: readonly number[]) =>
      database.query(take, [instance, role, shards.toSorted((a, b) => a - b)]),
    giveBack: (instance: string, leases: readonly { role: string; shard: number }[]) =>
      database.query(giveBack, [
        instance,
        leases.map(({ role }) => role),
        leases.map(({ shard }) => shard),
      ]),
    /** Forgets a process that ends, and frees what it held. */
    remove: (instance: string) => database.query(remove, [instance]),
    forgetDead: () => database.query(forget, []),
    /** The secret that processes prove themselves with; made when there is none. */
    async secret(proposal: string): Promise<string> {
      await database.query(addSecret, [proposal]);
      return (await database.query(selectSecret, []))[0]!.secret;
    },
  };
}

export type ClusterStore = ReturnType<typeof createClusterStore>;
