import type { Socket } from 'node:net';
import { isLeaseLost } from '../database/fence.ts';
import type { Database } from '../database/database.ts';
import type { Log } from '../kernel/log.ts';
import { randomLetters } from '../kernel/random.ts';
import type { Bus } from '../streams/bus.ts';
import { defineStream } from '../streams/define-stream.ts';
import { createKeeper, type Keeper, type Self } from './keeper.ts';
import {
  RoleUnavailable,
  shardOf,
  type RoleMethods,
  type Roles,
  type RoleService,
} from './role.ts';
import { CallLost, createRpcClient } from './rpc/client.ts';
import { createRpcServer, NotHeldHere, type Call, type RpcServer } from './rpc/server.ts';
import { createClusterStore, type ClusterStore, type WorkerRow } from './store.ts';

const secretLetters = 40;

/** The secret that processes of a server prove themselves with: the configured one, else one of the database. */
export const clusterSecret = async (
  store: Pick<ClusterStore, 'secret'>,
  configured: string | null,
): Promise<string> => configured ?? (await store.secret(randomLetters(secretLetters)));

/** Leases or processes have changed: everybody looks. */
const leaseStream = defineStream<{ instance: string }>({
  name: 'leases',
  durable: false,
  shardedBy: 'none',
});

/** How long a call waits for somebody to hold the shard; more than a killed holder's takes. */
const holderMsMax = 15_000;
/** How long it waits before it looks again by itself. */
const lookAgainMs = 200;

export interface ClusterNeeds {
  database: Database;
  bus: Bus;
  log: Log;
  /** All but the address, which is known once `rpc` listens. */
  self: Omit<Self, 'address' | 'http'>;
  /** A secret of the configuration; null: one that is kept in the database. */
  secret: string | null;
  /** Takes over connections of routers. */
  takeLink(socket: Socket): void;
}

/** This process among the others. */
export interface Cluster {
  roles: Roles;
  /** Where calls of other processes arrive; the caller makes it listen. */
  rpc: RpcServer;
  /** Joins: registers under these addresses and takes a share of the work. */
  join(addresses: { address: string | null; http: string | null }): Promise<void>;
  workers(): readonly WorkerRow[];
  holderOf(role: string, shard: number): WorkerRow | null;
  /** Gives all work to others. */
  drain(): Promise<void>;
  leave(): Promise<void>;
}

export async function createCluster(needs: ClusterNeeds): Promise<Cluster> {
  const { bus, log } = needs;
  const store = createClusterStore(needs.database);
  const secret = await clusterSecret(store, needs.secret);
  const services = new Map<string, RoleService<RoleMethods>>();
  const client = createRpcClient(secret);
  const alive = new Map<string, string>();
  const where = { address: null as string | null, http: null as string | null };

  const announce = () => {
    const row = { instance: needs.self.instance };
    bus.publish([{ stream: leaseStream, pos: bus.nextEphemeral(), row }]);
  };
  const keeper: Keeper = createKeeper({
    self: Object.assign(where, needs.self),
    store,
    log,
    announce,
    taken(role, fences) {
      const shards = fences.map(({ shard }) => shard);
      services.get(role)?.taken?.(shards, fences);
    },
    released: async (role, shards) => services.get(role)?.released?.(shards),
    onLook: forgetDead,
  });
  bus.subscribe(leaseStream, (rows) => {
    if (rows.some(({ row }) => row.instance !== needs.self.instance)) keeper.nudge();
  });

  /** Calls to processes that have died will not be answered. */
  function forgetDead(workers: readonly WorkerRow[]): void {
    const now = new Map(
      workers.flatMap((one) => (one.isAlive && one.address ? [[one.instance, one.address]] : [])),
    );
    for (const [instance, address] of alive) if (!now.has(instance)) client.forget(address);
    alive.clear();
    for (const [instance, address] of now) alive.set(instance, address);
  }

  /** Runs a method here; throws NotHeldHere when this process may not. */
  async function runHere({ role, shard, method, args }: Call): Promise<unknown> {
    const service = services.get(role);
    const held = service ? keeper.held.enter(role, shard) : null;
    if (!held) throw new NotHeldHere();
    try {
      return await service!.methods[method]!(args as never, held.fence);
    } catch (error) {
      if (!isLeaseLost(error)) throw error;
      keeper.lost(held);
      throw new NotHeldHere();
    } finally {
      keeper.held.leave(held);
    }
  }

  async function pause(): Promise<void> {
    keeper.nudge();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, lookAgainMs);
    });
    await Promise.race([keeper.changed(), late]);
    clearTimeout(timer);
  }

  async function callHolder(call: Call): Promise<unknown> {
    if (keeper.held.has(call.role, call.shard)) return runHere(call);
    const holder = keeper.holderOf(call.role, call.shard);
    if (!holder?.address || holder.instance === needs.self.instance) throw new NotHeldHere();
    return client.call(holder.address, call);
  }

  const roles: Roles = {
    serve(role, service) {
      services.set(role.name, service);
    },
    async call(role, key, method, args) {
      const call = { role: role.name, shard: shardOf(role, key), method, args };
      // A holder may have worked on it for long before the shard was another's.
      let untilMs: number | null = null;
      for (;;) {
        try {
          // oxlint-disable-next-line no-await-in-loop
          return (await callHolder(call)) as never;
        } catch (error) {
          if (!(error instanceof NotHeldHere) && !(error instanceof CallLost)) throw error;
          untilMs ??= performance.now() + holderMsMax;
          if (performance.now() > untilMs) {
            const holder = keeper.holderOf(call.role, call.shard)?.name ?? 'nobody';
            throw new RoleUnavailable(
              role.name,
              `${holder} has shard ${call.shard}; ${error.message}`,
            );
          }
        }
        // oxlint-disable-next-line no-await-in-loop
        await pause();
      }
    },
    holds: (role, key) => keeper.held.has(role.name, shardOf(role, key)),
  };

  return {
    roles,
    rpc: createRpcServer(secret, runHere, log, needs.takeLink),
    async join(addresses) {
      Object.assign(where, addresses);
      await keeper.start();
    },
    workers: () => keeper.workers(),
    holderOf: (role, shard) => keeper.holderOf(role, shard),
    drain: () => keeper.drain(),
    async leave() {
      await keeper.stop();
      client.close();
    },
  };
}
