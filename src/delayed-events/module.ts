import type { AccountSubscriber } from '../accounts/module.ts';
import { defineRole, shardOf, type Roles } from '../cluster/role.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { randomLetters } from '../kernel/random.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { DelayWish, RoomServices } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { delayedEventEndpoints } from './endpoints/delayed-events.ts';
import { createDelayedEventSender } from './sender.ts';
import { createDelayedEventStore } from './store/delayed-events.ts';
import { delayedEventStream } from './streams.ts';

/** Sending events that were delayed, by room. */
export const delayedEventRole = defineRole('delayed_events', 16);

export interface DelayedEventsConfig {
  /** Longest delay, in milliseconds; 0: there are no delayed events. [max_event_delay_duration] */
  delayMsMax: number;
}

export interface DelayedEventsNeeds {
  database: Database;
  bus: Bus;
  roles: Roles;
  clock: Clock;
  log: Log;
  config: DelayedEventsConfig;
  rooms: Pick<RoomServices, 'writer' | 'access'>;
}

export interface DelayedEvents {
  endpoints: Endpoint[];
  /** Keeps an event until its time; gives the id of the delay. Throws `MatrixError`. */
  delay(wish: DelayWish): Promise<string>;
  /** Deactivated accounts send nothing any more. */
  accountEvents: AccountSubscriber;
  /** Forgets what was sent or cancelled long ago. */
  tidy(): Promise<void>;
  stop(): Promise<void>;
}

const delayIdLetters = 24;
/** Events of a user that may wait at once. */
const waitingMax = 100;
/** As long as this a repeated request finds the delay that it made. */
const finishedKeptMs = 24 * 60 * 60 * 1000;
/** Of the content as JSON; the event with all else has to fit into 64 KiB when it is sent. */
const contentLengthMax = 60_000;

const unstableError = (code: string, message: string, more: object = {}) =>
  new MatrixError('M_UNKNOWN', message, {
    extra: { 'org.matrix.msc4140.errcode': code, ...more },
  });

/** Events that are sent after a delay unless they are cancelled (MSC4140). */
export function createDelayedEvents(needs: DelayedEventsNeeds): DelayedEvents {
  const { database, bus, roles, clock, log, config, rooms } = needs;
  const store = createDelayedEventStore(database);
  const sender = createDelayedEventSender({ store, writer: rooms.writer, clock, log });

  function expect(shard: number, sendTs: number): void {
    const pos = bus.nextEphemeral();
    bus.publish([{ stream: delayedEventStream, pos, row: { shard, sendTs } }]);
  }
  bus.subscribe(delayedEventStream, (rows) => {
    for (const { row } of rows) sender.expect(row.shard, row.sendTs);
  });
  // What told of an event that is due soon may be among what was missed.
  bus.onMissed(() => sender.look());
  roles.serve(delayedEventRole, {
    methods: {},
    taken: (shards) => sender.take(shards),
    released: (shards) => sender.release(shards),
  });

  return {
    endpoints: bindEndpoints(delayedEventEndpoints, { store, sender, clock, expect }),
    async delay({ requester, roomId, type, stateKey, content, delayMs, stickyMs, transaction }) {
      if (config.delayMsMax === 0) {
        throw unstableError('M_MAX_DELAY_UNSUPPORTED', 'This server delays no events');
      }
      if (delayMs > config.delayMsMax) {
        const most = { 'org.matrix.msc4140.max_delay': config.delayMsMax };
        throw unstableError('M_MAX_DELAY_EXCEEDED', 'The delay is too long', most);
      }
      const { roomNid } = await rooms.access.joined(roomId, requester);
      if (content === null) {
        const earlier = transaction && (await store.ofTransaction(requester.userNid, transaction));
        if (!earlier) throw new MatrixError('M_NOT_JSON', 'Content not JSON.');
        return earlier;
      }
      const text = JSON.stringify(content);
      if (text.length > contentLengthMax) throw new MatrixError('M_TOO_LARGE', 'event too large');
      const shard = shardOf(delayedEventRole, roomId);
      const nowTs = clock.now();
      const added = await store.add({
        delayId: randomLetters(delayIdLetters),
        shard,
        userNid: requester.userNid,
        deviceNid: requester.deviceNid ?? 0,
        txnScope: transaction?.scope ?? null,
        txnId: transaction?.txnId ?? null,
        roomNid,
        roomId,
        type,
        stateKey,
        content: text,
        delayMs,
        stickyMs,
        nowTs,
        waitingMax,
      });
      if (!added) {
        const message = `No more than ${waitingMax} events may wait`;
        throw unstableError('M_MAX_DELAYED_EVENTS_EXCEEDED', message);
      }
      if (added.isNew) expect(shard, nowTs + delayMs);
      return added.delayId;
    },
    accountEvents: {
      async deactivated({ userNid }) {
        await store.deleteUser(userNid);
      },
    },
    async tidy() {
      await store.forget(clock.now() - finishedKeptMs);
    },
    stop: () => sender.stop(),
  };
}
