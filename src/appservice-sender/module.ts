import type { AppserviceClient } from '../appservices/client.ts';
import type {
  AppserviceRegistration,
  AppserviceRegistrations,
} from '../appservices/registrations.ts';
import { RoleUnavailable, type Roles } from '../cluster/role.ts';
import type { Database, Queryable } from '../database/database.ts';
import { oneTimeKeyStream, type Keys } from '../keys/module.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { presenceStream } from '../presence/module.ts';
import type { Interned, JoinedRooms } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { ToDevice } from '../to-device/module.ts';
import { typingStream } from '../typing/module.ts';
import { createDispatch } from './dispatch.ts';
import { createFeed } from './feed.ts';
import type { HeldService } from './held-service.ts';
import { createHolder, type Holder } from './holder.ts';
import { createInterests, userPrefixes } from './interests.ts';
import { createSenderMetrics } from './metrics.ts';
import { appserviceRole } from './role.ts';
import { createFeedStore } from './store/feed.ts';
import { createProgressStore } from './store/progress.ts';
import { createRoomInterestStore } from './store/room-interests.ts';
import { createTransactions, type Transaction } from './transaction.ts';

export { appserviceRole } from './role.ts';

export interface AppserviceSenderNeeds {
  registrations: AppserviceRegistrations;
  client: AppserviceClient;
  database: Database;
  /** The database with names put in: `withEventNames`. */
  events: Queryable;
  bus: Bus;
  roles: Roles;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  interned: Pick<Interned, 'userId' | 'findAll'>;
  joinedRooms: Pick<JoinedRooms, 'ofAny'>;
  keys: { oneTimeKeys: Pick<Keys['oneTimeKeys'], 'states'> };
  toDevice: Pick<ToDevice, 'acknowledge'>;
  /** False: nothing is sent from here, whoever else does. */
  isEnabled: boolean;
}

export interface AppserviceSender {
  /** A service is known to answer: whoever sends to it does not wait any longer. */
  answers(id: string): void;
  /** Ends what is under way and writes down how far it has come. */
  stop(): Promise<void>;
}

/** Sending events and more to application services. */
export function createAppserviceSender(needs: AppserviceSenderNeeds): AppserviceSender {
  const { registrations, database, bus, roles, clock, log } = needs;
  const held = () => [...holder.services()];
  const services = (): AppserviceRegistration[] =>
    held().flatMap(({ id }) => registrations.byId(id) ?? []);

  const store = createProgressStore(database);
  const feedStore = createFeedStore(database, needs.events);
  const feed = createFeed({
    bus,
    interned: needs.interned,
    store: feedStore,
    isActive: () => held().length > 0,
    wanted() {
      const all = services();
      const ephemeral = all.filter(({ receivesEphemeral }) => receivesEphemeral);
      return {
        ephemeralFor: ephemeral.length > 0 ? userPrefixes(ephemeral) : null,
        deviceLists: all.some(({ receivesDeviceUpdates }) => receivesDeviceUpdates),
      };
    },
  });
  const interests = createInterests({ bus, store: createRoomInterestStore(database), services });

  /** Whoever alone owns a device has got its messages, as by `/sync`. */
  function acknowledge({ id }: AppserviceRegistration, { devices }: Transaction): void {
    for (const { userId, pos, ...device } of devices) {
      if (registrations.exclusiveFor(userId)?.id === id)
        void needs.toDevice.acknowledge(device, pos);
    }
  }

  const dispatch = createDispatch({
    registrations,
    client: needs.client,
    feed,
    transactions: createTransactions({
      clock,
      interests,
      store: feedStore,
      interned: needs.interned,
      joinedRooms: needs.joinedRooms,
      oneTimeKeys: needs.keys.oneTimeKeys,
      position: feed.position,
    }),
    store,
    metrics: createSenderMetrics(needs.metrics),
    clock,
    log,
    arrived: acknowledge,
  });
  const holder: Holder = createHolder({
    registrations,
    store,
    feed,
    interests,
    dispatch,
    clock,
    log,
  });

  // After the bus has moved to the position of these rows.
  let isScheduled = false;
  bus.afterRows(() => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      for (const one of holder.services()) if (one.pos < bus.position()) dispatch.wake(one);
    });
  });

  /** For those who are told of what is not kept; nothing waits for one that is away. */
  function tell(
    isWanted: (service: AppserviceRegistration) => boolean,
    work: (one: HeldService) => void,
  ) {
    for (const one of holder.services()) {
      const service = registrations.byId(one.id);
      if (!service || !isWanted(service) || one.failures > 0) continue;
      work(one);
      dispatch.wake(one);
    }
  }
  const wantsEphemeral = ({ receivesEphemeral }: AppserviceRegistration) => receivesEphemeral;
  const wantsKeys = ({ receivesDeviceUpdates }: AppserviceRegistration) => receivesDeviceUpdates;
  bus.subscribe(typingStream, (rows) => {
    for (const { row } of rows) tell(wantsEphemeral, ({ waiting }) => waiting.typing(row));
  });
  bus.subscribe(presenceStream, (rows) => {
    for (const { row } of rows) tell(wantsEphemeral, ({ waiting }) => waiting.presence(row));
  });
  bus.subscribe(oneTimeKeyStream, (rows) => {
    for (const { row } of rows) {
      for (const device of row.devices) tell(wantsKeys, ({ waiting }) => waiting.keyCount(device));
    }
  });

  function retry({ id }: { id: string }): void {
    const one = holder.find(id);
    if (one) dispatch.retry(one);
  }
  if (needs.isEnabled) {
    roles.serve(appserviceRole, {
      methods: { retry },
      taken: (shards, fences) => holder.taken(shards, fences),
      released: (shards) => holder.released(shards),
    });
  }

  return {
    answers(id) {
      roles.call(appserviceRole, id, 'retry', { id }).catch((error: unknown) => {
        // The one that takes over tries at once.
        if (error instanceof RoleUnavailable) return;
        log.warn({ err: error, appservice: id }, 'who sends to a service could not be told');
      });
    },
    async stop() {
      await holder.stop();
      dispatch.stop();
    },
  };
}
