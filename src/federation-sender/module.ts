import { shardOf, type Roles } from '../cluster/role.ts';
import type { Database } from '../database/database.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { SharedBackOff } from '../federation-client/shared-back-off.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Keys } from '../keys/module.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { PresenceModule } from '../presence/module.ts';
import type { JoinedRooms, RoomServers } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import { toDeviceOutboxStream, type ToDevice } from '../to-device/module.ts';
import type { ArrivalNeeds } from './arrivals.ts';
import { createCatchUp } from './catch-up.ts';
import type { Destination } from './destination.ts';
import { Destinations } from './destinations.ts';
import { createDispatch, type RetryOptions } from './dispatch.ts';
import { adminEndpoints } from './endpoints/admin.ts';
import { createEphemeralEdus } from './ephemeral-edus.ts';
import { createFanOut } from './fan-out.ts';
import { createFollower, type Follower } from './follower.ts';
import { createHolder } from './holder.ts';
import { createPduReader } from './pdu-reader.ts';
import { federationSenderRole } from './role.ts';
import { createSenderMetrics } from './sender-metrics.ts';
import { createDestinationAdminStore } from './store/admin.ts';
import { createDestinationStore } from './store/destinations.ts';
import { createOwnEventStore } from './store/own-events.ts';
import { addingPassedOn, createPassedOnStore } from './store/passed-on.ts';
import { passedOnStream, type PassedOnRow } from './streams.ts';
import { createTransactions } from './transaction.ts';
import { createTransmitter } from './transmitter.ts';

export { federationSenderRole } from './role.ts';
export type { PassedOnRow } from './streams.ts';

export interface FederationSenderConfig extends RetryOptions {
  serverName: string;
  /** The only servers that are contacted; null: all. [federation_domain_whitelist] */
  allowedServers: readonly string[] | null;
  /** [federation_rr_transactions_per_room_per_second] */
  receiptsPerSecond: number;
  /** Servers with metrics of their own. [federation_metrics_domains] */
  metricsDomains: readonly string[];
}

export interface FederationSenderNeeds {
  config: FederationSenderConfig;
  database: Database;
  committer: Committer;
  bus: Bus;
  roles: Roles;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  federation: Pick<FederationClient, 'request'>;
  backOff: SharedBackOff;
  rooms: {
    servers: RoomServers;
    joinedRooms: Pick<JoinedRooms, 'ofAny'>;
    members: { localMemberNids: ArrivalNeeds['localMembers'] };
  };
  presence: Pick<PresenceModule, 'presentUser'>;
  keys: Pick<Keys, 'updates'>;
  toDevice: Pick<ToDevice, 'outbox'>;
}

export interface FederationSender {
  endpoints: Endpoint[];
  /**
   * Sends an event of another server, which is stored here, to the other servers in its room: one for
   * which this server vouches, such as a join that it has let in. Resolves when it is noted for good.
   */
  passOn(event: PassedOnRow): Promise<void>;
  /** Whether those of the servers that can be reached have what came up to a position. */
  areTold(serverNames: readonly string[], pos: number): Promise<boolean>;
  /** Forgets what all servers have; for the process that does the work of the background. */
  tidy(): Promise<void>;
  /** Ends what is under way and writes down how far it has come. */
  stop(): Promise<void>;
}

/** Servers whose rows are known to exist. */
const registeredMax = 50_000;

/** Sending events and more to other servers. */
export function createFederationSender(needs: FederationSenderNeeds): FederationSender {
  const { config, database, committer, bus, roles, clock, log, backOff, rooms, toDevice } = needs;
  const { serverName } = config;
  const allowed = config.allowedServers === null ? null : new Set(config.allowedServers);
  const isAllowed = (name: string) =>
    name !== '' && name !== serverName && (allowed === null || allowed.has(name));
  const { updates } = needs.keys;
  const { outbox } = toDevice;
  const store = createDestinationStore(database);
  const ownEvents = createOwnEventStore(database, serverName);
  const passedOn = createPassedOnStore(database);
  const destinations = new Destinations();
  const ephemeral = createEphemeralEdus(clock);
  const registered = boundedCache<string, true>(registeredMax);
  const pending = {
    destinations: () => [...destinations.all()].filter((one) => one.hasWork()).length,
    pdus: () => destinations.queued(),
    edus: () => ephemeral.count(),
  };
  const metrics = createSenderMetrics(needs.metrics, pending, config.metricsDomains);
  const position = (): number => follower.position();

  bus.recoverWith(passedOnStream, async (afterPos, uptoPos) => {
    const rows = await passedOn.stream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });

  const dispatch = createDispatch({
    options: config,
    destinations,
    ephemeral,
    backOff,
    clock,
    log,
    transactions: createTransactions({
      serverName,
      clock,
      destinations,
      catchUp: createCatchUp({ events: ownEvents, devices: updates, servers: rooms.servers }),
      pdus: createPduReader(ownEvents, bus),
      deviceEdus: (items) => updates.edus(items),
      ephemeral,
      outbox,
      position,
    }),
    transmitter: createTransmitter({ federation: needs.federation, backOff, metrics, log }),
    async register({ name, shard }: Destination) {
      if (registered.has(name)) return;
      await store.add([{ name, shard }]);
      registered.set(name, true);
    },
    maySend: ({ shard }) => holder.maySend(shard),
  });
  const holder = createHolder({
    store,
    events: ownEvents,
    devices: updates,
    serversWithMessages: () => outbox.servers(),
    servers: rooms.servers,
    destinations,
    ephemeral,
    dispatch,
    position,
    ready: backOff.ready,
    isAllowed,
    log,
  });
  const isActive = () => holder.isActive() && allowed?.size !== 0;
  const isHeld = (name: string) => holder.holds(shardOf(federationSenderRole, name));
  const isAway = (name: string) => backOff.waitMs(name) > 0;
  const follower: Follower = createFollower({
    bus,
    log,
    serverName,
    servers: rooms.servers,
    isActive,
    deliver(item, names) {
      let count = 0;
      for (const name of names) {
        if (!isAllowed(name) || !isHeld(name)) continue;
        count++;
        const destination = destinations.of(name);
        destinations.add(destination, item, isAway(name));
        dispatch.wake(destination);
      }
      if (count > 0) metrics.queued(count);
    },
    uncertain(item, names) {
      for (const name of names) {
        if (!isAllowed(name) || !isHeld(name)) continue;
        const destination = destinations.of(name);
        destinations.change(destination, () => destination.lacksSince(item.pos - 1));
        dispatch.wake(destination);
      }
    },
    missed: (afterPos) => holder.missed(afterPos),
  });
  const fanOut = createFanOut({
    bus,
    clock,
    log,
    servers: rooms.servers,
    roomsOf: async (userNid) => [...(await rooms.joinedRooms.ofAny([userNid]))],
    localMembers: rooms.members.localMemberNids,
    presentUser: needs.presence.presentUser,
    ephemeral,
    receiptsPerSecond: config.receiptsPerSecond,
    isActive,
    isFor: (name) => isAllowed(name) && isHeld(name) && !isAway(name),
    wake: (name) => dispatch.wake(destinations.of(name)),
  });
  bus.subscribe(toDeviceOutboxStream, (rows) => {
    for (const { row } of rows) {
      if (!isActive() || !isAllowed(row.serverName) || !isHeld(row.serverName)) continue;
      const destination = destinations.of(row.serverName);
      destination.hasMessages = true;
      dispatch.wake(destination);
    }
  });
  backOff.onSooner((name) => {
    const destination = destinations.find(name);
    if (destination) dispatch.wake(destination);
  });
  roles.serve(federationSenderRole, {
    methods: {},
    taken: (shards, fences) => holder.taken(shards, fences),
    released: (shards) => holder.released(shards),
  });

  return {
    endpoints: bindEndpoints(adminEndpoints, {
      admin: createDestinationAdminStore(database, serverName),
      backOff,
    }),
    async passOn(row) {
      await committer.write<{ pos: number }, void>(addingPassedOn(row), ([added]) => ({
        result: undefined,
        publish: [{ stream: passedOnStream, pos: added!.pos, row }],
      }));
    },
    areTold(serverNames, pos) {
      const names = serverNames.filter((name) => isAllowed(name));
      const servers = names.map((name) => ({ name, shard: shardOf(federationSenderRole, name) }));
      return store.areTold(servers, pos);
    },
    async tidy() {
      const pos = await store.leastPos();
      if (pos === null) return;
      await passedOn.forget(pos);
      await updates.forget(pos);
    },
    async stop() {
      await Promise.all([fanOut.stop(), follower.stop()]);
      await holder.stop();
      dispatch.stop();
    },
  };
}
