import type { AccountSubscriber } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import { BatchFailed, type CommitKind, type Committer } from '../streams/committer.ts';
import { acknowledgementCommits, sendingCommits, type Sending } from './commit-messages.ts';
import { sendToDevice } from './endpoints/send-to-device.ts';
import { createRecentMessages } from './recent-messages.ts';
import type { ToDeviceServices } from './services.ts';
import { createInboxStore, type InboxSpan, type WaitingMessage } from './store/inbox.ts';
import { createOutboxStore, type OutboxMessage } from './store/outbox.ts';
import { toDeviceOutboxStream, toDeviceStream } from './streams.ts';

export { toDeviceOutboxStream, toDeviceStream } from './streams.ts';
export type { ToDeviceRow } from './streams.ts';
export type { NewMessage, Sending } from './commit-messages.ts';
export type { OutboxMessage } from './store/outbox.ts';
export type { InboxSpan, WaitingMessage } from './store/inbox.ts';

export interface ToDeviceNeeds extends Omit<ToDeviceServices, 'deliver'> {
  clock: Clock;
  database: Database;
  committer: Committer;
  bus: Bus;
  log: Log;
}

export interface DeviceRef {
  userNid: number;
  deviceNid: number;
}

export interface ToDevice {
  endpoints: Endpoint[];
  /** Puts messages into inboxes, for senders of other servers too. */
  deliver(sending: Sending): Promise<void>;
  /** The oldest and the newest position in a device's inbox. */
  span(userNid: number, deviceNid: number): Promise<InboxSpan>;
  /** Messages after a position, oldest first, at most `limit`; lately sent ones from memory. */
  waiting(
    device: DeviceRef,
    afterPos: number,
    uptoPos: number,
    limit: number,
  ): WaitingMessage[] | Promise<WaitingMessage[]>;
  /**
   * The device has got everything up to a position: it is deleted. False: that failed, and has to
   * be said again.
   */
  acknowledge(device: DeviceRef, pos: number): Promise<boolean>;
  /** Messages for devices of other servers that have not arrived yet. */
  outbox: {
    /** The oldest for a server, at most `limit`. */
    waiting(serverName: string, limit: number): Promise<OutboxMessage[]>;
    /** Servers that something waits for. */
    servers(): Promise<string[]>;
    /** They have arrived: they are deleted. */
    sent(positions: readonly number[]): Promise<void>;
  };
  accountEvents: AccountSubscriber;
  /** Removes what belongs to devices that are no more, and old transaction ids. */
  sweep(): Promise<void>;
}

/** Messages that wait for one device; when there are more, the oldest go. */
const inboxMessagesMax = 10_000;
/** After so many messages to a device its inbox is looked at. */
const messagesPerTrim = 1_000;
/** Devices whose messages are counted. */
const countedDevicesMax = 50_000;
/** How long messages wait for a server that is away. */
const outboxKeptMs = 30 * 24 * 60 * 60 * 1000;
/** How long a transaction id is known (client-server spec, "Transaction identifiers"). */
const transactionKeptMs = 24 * 60 * 60 * 1000;

/** Events from device to device. */
export function createToDevice(needs: ToDeviceNeeds): ToDevice {
  const { clock, database, committer, bus, log } = needs;
  const store = createInboxStore(database);
  const outbox = createOutboxStore(database);
  const recent = createRecentMessages(bus);
  const counts = boundedCache<number, number>(countedDevicesMax);

  async function commit<Unit>(kind: CommitKind<Unit, void>, unit: Unit): Promise<void> {
    try {
      await committer.commit(kind, unit);
    } catch (error) {
      // Another write of the batch may be to blame.
      if (!(error instanceof BatchFailed)) throw error;
      await committer.commit(kind, unit, { alone: true });
    }
  }

  function count({ userNid, deviceNid }: DeviceRef): void {
    const sent = (counts.get(deviceNid) ?? 0) + 1;
    counts.set(deviceNid, sent % messagesPerTrim);
    if (sent < messagesPerTrim) return;
    store.trim(userNid, deviceNid, inboxMessagesMax).catch((error: unknown) => {
      log.warn({ err: error }, 'could not trim the inbox of a device');
    });
  }

  bus.recoverWith(toDeviceStream, async (afterPos, uptoPos) => {
    const rows = await store.stream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });
  bus.subscribe(toDeviceStream, (rows) => {
    for (const { row } of rows) count(row);
  });

  const deliver = (sending: Sending) => commit(sendingCommits, sending);
  bus.recoverWith(toDeviceOutboxStream, async (afterPos, uptoPos) => {
    const rows = await outbox.stream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });

  const { serverName, userNidsOf, mayContact } = needs;
  const services = { clock, serverName, userNidsOf, mayContact, deliver };
  return {
    endpoints: bindEndpoints([sendToDevice], services),
    deliver,
    span: (userNid, deviceNid) => store.span(userNid, deviceNid),
    waiting(device, afterPos, uptoPos, limit) {
      const known = recent.after(device.deviceNid, afterPos, uptoPos);
      return known?.slice(0, limit) ?? store.waiting(device, afterPos, uptoPos, limit);
    },
    async acknowledge({ userNid, deviceNid }, pos) {
      try {
        await commit(acknowledgementCommits, { userNid, deviceNid, pos });
        return true;
      } catch (error) {
        log.warn({ err: error }, 'could not delete messages that a device has got');
        return false;
      }
    },
    outbox,
    accountEvents: {
      async devicesDeleted(user, devices) {
        const nids = devices.map(({ deviceNid }) => deviceNid);
        await store.deleteInboxes(user.userNid, nids);
      },
    },
    async sweep() {
      await store.sweep(clock.now() - transactionKeptMs);
      await outbox.forget(clock.now() - outboxKeptMs);
    },
  };
}
