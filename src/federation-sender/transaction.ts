import type { Clock } from '../kernel/clock.ts';
import { randomLetters } from '../kernel/random.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { OutboxMessage } from '../to-device/module.ts';
import type { CatchUp } from './catch-up.ts';
import { isEvent, type Destination, type DeviceItem, type Item } from './destination.ts';
import type { Destinations } from './destinations.ts';
import type { EphemeralEdus } from './ephemeral-edus.ts';
import { edusPerTransaction, pdusPerTransaction } from './limits.ts';
import type { PduReader } from './pdu-reader.ts';

/** What is sent to a server at once. */
export interface Transaction {
  id: string;
  /** Server-server spec, `PUT /_matrix/federation/v1/send/{txnId}`. */
  content: JsonObject;
  pduCount: number;
  eduTypes: readonly string[];
  /** The items it is of, of the destination's round or of its queue. */
  items: readonly Item[];
  isOfRound: boolean;
  /** Positions of messages to devices. */
  messages: readonly number[];
}

/** Messages to devices of other servers that wait in the database. */
export interface Outbox {
  waiting(serverName: string, limit: number): Promise<OutboxMessage[]>;
  /** They have arrived. */
  sent(positions: readonly number[]): Promise<void>;
}

export interface TransactionsNeeds {
  serverName: string;
  clock: Clock;
  destinations: Destinations;
  catchUp: CatchUp;
  pdus: PduReader;
  /** Changes of devices and keys as EDUs, by the position of each item. */
  deviceEdus(items: readonly DeviceItem[]): Promise<JsonObject[]>;
  ephemeral: EphemeralEdus;
  outbox: Outbox;
  /** Everything after it will be added to the servers' queues. */
  position(): number;
}

/** Makes transactions of what waits for a server, and takes away what has arrived. */
export interface Transactions {
  /** Null: there is nothing for it. */
  next(destination: Destination): Promise<Transaction | null>;
  arrived(destination: Destination, transaction: Transaction): Promise<void>;
  /** It will not be sent as it was; what it held is read again. */
  giveUp(destination: Destination, transaction: Transaction): void;
}

/** Changes of devices in a transaction, each of which is a few EDUs at most. */
const deviceItemsMax = 20;
/** For what is not durable there is always some room left. */
const messagesMax = 50;
const idLetters = 12;

/** As many of the first items as fit. */
function fitting(items: readonly Item[], pdusMax: number): readonly Item[] {
  let events = 0;
  let changes = 0;
  const end = items.findIndex((item) =>
    isEvent(item) ? ++events > pdusMax : ++changes > deviceItemsMax,
  );
  return end === -1 ? items.slice(0, pdusMax + deviceItemsMax) : items.slice(0, end);
}

export function createTransactions(needs: TransactionsNeeds): Transactions {
  const { serverName, clock, destinations, catchUp, pdus, ephemeral, outbox, position } = needs;
  const idPrefix = randomLetters(idLetters);
  let number = 0;

  async function messagesFor(destination: Destination): Promise<OutboxMessage[]> {
    if (!destination.hasMessages) return [];
    // Before the look: what is put there meanwhile says so once more.
    destination.hasMessages = false;
    const waiting = await outbox.waiting(destination.name, messagesMax);
    if (waiting.length === messagesMax) destination.hasMessages = true;
    return waiting;
  }

  function itemsArrived(destination: Destination, items: readonly Item[], isOfRound: boolean) {
    const last = items.at(-1);
    if (!last) return;
    if (isOfRound) {
      if (destination.round) catchUp.sent(destination, items.length);
    } else {
      destinations.change(destination, () => destination.sent(items.length, last.pos));
    }
  }

  async function read(destination: Destination): Promise<Transaction> {
    const caughtUp = await catchUp.next(destination, position);
    const isOfRound = destination.behind !== null;
    const pdusMax = Math.min(pdusPerTransaction, destination.pdusMax);
    const items = fitting(isOfRound ? caughtUp : destination.queue, pdusMax);
    const changes = items.filter((item): item is DeviceItem => !isEvent(item));
    const [events, deviceEdus, messages] = await Promise.all([
      pdus.load(items.filter(isEvent)),
      changes.length > 0 ? needs.deviceEdus(changes) : [],
      messagesFor(destination),
    ]);
    const edus = [...deviceEdus, ...messages.map(({ edu }) => JSON.parse(edu) as JsonObject)];
    const room = edusPerTransaction - edus.length;
    const isAlone = edus.length === 0 && events.length === 0;
    if (room > 0) edus.push(...ephemeral.take(destination.name, room, isAlone));
    return {
      id: `${idPrefix}${++number}`,
      content: { origin: serverName, origin_server_ts: clock.now(), pdus: events, edus },
      pduCount: events.length,
      eduTypes: edus.map((edu) => edu['edu_type'] as string),
      items,
      isOfRound,
      messages: messages.map(({ pos }) => pos),
    };
  }

  return {
    async next(destination) {
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop
        const transaction = await read(destination);
        if (transaction.pduCount > 0 || transaction.eduTypes.length > 0) return transaction;
        if (transaction.items.length === 0) return null;
        // What it is about is no more.
        itemsArrived(destination, transaction.items, transaction.isOfRound);
      }
    },
    async arrived(destination, { items, isOfRound, messages }) {
      itemsArrived(destination, items, isOfRound);
      if (messages.length > 0) await outbox.sent(messages);
    },
    giveUp(destination, { messages }) {
      if (messages.length > 0) destination.hasMessages = true;
    },
  };
}
