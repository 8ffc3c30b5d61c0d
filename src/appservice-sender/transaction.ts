import { isInterestedInUser, type AppserviceRegistration } from '../appservices/registrations.ts';
import type { OneTimeKeys } from '../keys/module.ts';
import type { Clock } from '../kernel/clock.ts';
import { presenceEvent } from '../presence/module.ts';
import { receiptEventJson, type ReceiptRow } from '../receipts/module.ts';
import { clientEventJson, type Interned, type JoinedRooms } from '../rooms/module.ts';
import { typingEventJson } from '../typing/module.ts';
import { deviceListsOf } from './device-lists.ts';
import type { EventRow, FeedPage, FeedRow } from './feed.ts';
import type { Interests } from './interests.ts';
import { charactersPerTransaction, ephemeralPerTransaction } from './limits.ts';
import { firstOf, isFor, roomsOf } from './selection.ts';
import type { DeviceMessage, FeedStore } from './store/feed.ts';
import type { EventRef, StoredTransaction } from './store/progress.ts';
import type { DeviceRef, Waiting } from './waiting.ts';

/** What a service is sent, as it is sent however often that takes. */
export interface Transaction extends StoredTransaction {
  /** Of `PUT /transactions/{txnId}`, JSON text. */
  body: string;
  counts: { events: number; ephemeral: number; messages: number };
  /** Devices whose messages are in it, with the position of the newest of each. */
  devices: readonly (DeviceRef & { userId: string; pos: number })[];
}

export interface TransactionsNeeds {
  clock: Clock;
  interests: Interests;
  store: Pick<FeedStore, 'events' | 'deviceIds'>;
  interned: Pick<Interned, 'userId' | 'findAll'>;
  joinedRooms: Pick<JoinedRooms, 'ofAny'>;
  oneTimeKeys: Pick<OneTimeKeys, 'states'>;
  position(): number;
}

/** Makes transactions. */
export interface Transactions {
  /**
   * What there is for the service of a page, and of what else waits for it; null: nothing. `uptoPos`:
   * it has everything up to there then.
   */
  make(
    service: AppserviceRegistration,
    page: FeedPage,
    waiting: Waiting,
  ): Promise<{ transaction: Transaction | null; uptoPos: number }>;
  /** Once more, as it was before the process began. */
  again(stored: StoredTransaction): Promise<Transaction>;
}

/** An event, receipt … that a service gets. */
type Chosen = Exclude<FeedRow, { kind: 'event' }> | (EventRow & { json: string });

const within = (roomId: string, json: string) =>
  `{"room_id":${JSON.stringify(roomId)},${json.slice(1)}`;

function receiptEvents(rows: readonly ReceiptRow[]): string[] {
  const byRoom = Map.groupBy(rows, ({ roomId }) => roomId);
  return [...byRoom].map(([roomId, own]) => within(roomId, receiptEventJson(own)));
}

const bodyOf = (events: readonly string[], rest: string) =>
  `{"events":[${events.join(',')}]${rest === '' ? '' : `,${rest}`}}`;

const member = (name: string, json: string) => `${JSON.stringify(name)}:${json}`;
const listMember = (name: string, items: readonly string[]) => member(name, `[${items.join(',')}]`);

export function createTransactions(needs: TransactionsNeeds): Transactions {
  const { clock, interests, store, interned, joinedRooms, oneTimeKeys, position } = needs;

  /** JSON by number of the event. */
  async function eventTexts(
    events: readonly (EventRef & { recent?: EventRow['recent'] })[],
  ): Promise<Map<number, string>> {
    const now = clock.now();
    const texts = new Map<number, string>();
    const missing: EventRef[] = [];
    for (const one of events) {
      if (!one.recent) missing.push(one);
      else {
        const { roomId, event } = one.recent;
        texts.set(one.eventNid, clientEventJson(event, { roomId, now }));
      }
    }
    if (missing.length === 0) return texts;
    for (const { roomId, ...event } of await store.events(missing)) {
      texts.set(event.eventNid, clientEventJson(event, { roomId, now }));
    }
    return texts;
  }

  /** What goes into one transaction, and up to where that reaches. */
  async function choose(service: AppserviceRegistration, { rows, uptoPos }: FeedPage) {
    if (rows.length === 0) return { chosen: [], uptoPos };
    const rooms = await interests.of(roomsOf(service, rows), rows[0]!.pos - 1);
    const first = firstOf(rows.filter((row) => isFor(service, row, rooms)));
    const texts = await eventTexts(first.rows.filter((row) => row.kind === 'event'));
    const chosen: Chosen[] = [];
    let characters = 0;
    let { cutPos } = first;
    for (const row of first.rows) {
      const json = row.kind === 'event' ? texts.get(row.eventNid) : '';
      // It was purged meanwhile.
      if (json === undefined) continue;
      characters += row.kind === 'message' ? row.message.length : json.length;
      if (characters > charactersPerTransaction && chosen.length > 0) {
        cutPos = row.pos;
        break;
      }
      chosen.push(row.kind === 'event' ? { ...row, json } : row);
    }
    if (cutPos === null) return { chosen, uptoPos };
    return { chosen: chosen.filter(({ pos }) => pos < cutPos), uptoPos: cutPos - 1 };
  }

  async function typingEvents(service: AppserviceRegistration, waiting: Waiting) {
    const rows = waiting.takeTyping(ephemeralPerTransaction);
    if (rows.length === 0) return [];
    const pos = position();
    const rooms = await interests.of(
      rows.map(({ roomNid }) => roomNid),
      pos,
    );
    return rows
      .filter(({ roomNid }) => rooms.get(roomNid)?.isOf(service, pos))
      .map(({ roomId, userIds }) => within(roomId, typingEventJson(userIds)));
  }

  async function presenceEvents(service: AppserviceRegistration, waiting: Waiting) {
    const rows = waiting.takePresence(ephemeralPerTransaction);
    if (rows.length === 0) return [];
    const pos = position();
    const joined = await Promise.all(
      rows.map(async ({ userNid }) => [...(await joinedRooms.ofAny([userNid]))]),
    );
    const rooms = await interests.of(joined.flat(), pos);
    return rows
      .filter(
        ({ userId }, i) =>
          isInterestedInUser(service, userId) ||
          joined[i]!.some((roomNid) => rooms.get(roomNid)?.isOf(service, pos)),
      )
      .map((row) => presenceEvent(row, clock.now()).json);
  }

  async function messageEvents(messages: readonly DeviceMessage[]): Promise<string[]> {
    if (messages.length === 0) return [];
    const ids = await store.deviceIds(messages);
    return messages.flatMap(({ userId, deviceNid, message }) => {
      const deviceId = ids.get(deviceNid);
      if (deviceId === undefined) return [];
      const to = `"to_user_id":${JSON.stringify(userId)},"to_device_id":${JSON.stringify(deviceId)}`;
      return [`{${to},${message.slice(1)}`];
    });
  }

  /** What devices have for others to claim (MSC3202). */
  async function keyCounts(
    service: AppserviceRegistration,
    waiting: Waiting,
    messages: readonly DeviceMessage[],
  ): Promise<string[]> {
    const changed = await Promise.all(
      waiting.takeKeyCounts(ephemeralPerTransaction).map(async (device) => ({
        ...device,
        userId: await interned.userId(device.userNid),
      })),
    );
    const devices = [...messages, ...changed].filter(({ userId }) =>
      isInterestedInUser(service, userId),
    );
    if (devices.length === 0) return [];
    const [ids, states] = await Promise.all([
      store.deviceIds(devices),
      oneTimeKeys.states(devices),
    ]);
    const counts: Record<string, Record<string, unknown>> = {};
    const unused: Record<string, Record<string, unknown>> = {};
    for (const { userId, deviceNid } of devices) {
      const deviceId = ids.get(deviceNid);
      const state = states.get(deviceNid);
      if (deviceId === undefined || !state) continue;
      (counts[userId] ??= {})[deviceId] = { signed_curve25519: 0, ...state.counts };
      (unused[userId] ??= {})[deviceId] = state.unusedFallbackTypes;
    }
    if (Object.keys(counts).length === 0) return [];
    const prefix = 'org.matrix.msc3202.device';
    return [
      // Both names are in use.
      member(`${prefix}_one_time_key_counts`, JSON.stringify(counts)),
      member(`${prefix}_one_time_keys_count`, JSON.stringify(counts)),
      member(`${prefix}_unused_fallback_key_types`, JSON.stringify(unused)),
    ];
  }

  async function deviceLists(service: AppserviceRegistration, chosen: readonly Chosen[]) {
    const { changed, left } = await deviceListsOf(service, chosen, {
      interests,
      interned,
      joinedRooms,
      position,
    });
    if (changed.length + left.length === 0) return [];
    return [member('org.matrix.msc3202.device_lists', JSON.stringify({ changed, left }))];
  }

  const ofKind = <K extends Chosen['kind']>(chosen: readonly Chosen[], kind: K) =>
    chosen.filter((row): row is Extract<Chosen, { kind: K }> => row.kind === kind);

  return {
    async make(service, page, waiting) {
      const { chosen, uptoPos } = await choose(service, page);
      const messages = ofKind(chosen, 'message');
      const [typing, presence, toDevice, counts, lists] = await Promise.all([
        service.receivesEphemeral ? typingEvents(service, waiting) : [],
        service.receivesEphemeral ? presenceEvents(service, waiting) : [],
        messageEvents(messages),
        service.receivesDeviceUpdates ? keyCounts(service, waiting, messages) : [],
        service.receivesDeviceUpdates ? deviceLists(service, chosen) : [],
      ]);
      const receipts = receiptEvents(ofKind(chosen, 'receipt').map(({ row }) => row));
      const ephemeral = [...receipts, ...typing, ...presence];
      const members = [...counts, ...lists];
      if (ephemeral.length > 0) {
        members.push(listMember('ephemeral', ephemeral));
        if (service.usesUnstableEphemeral) {
          members.push(listMember('de.sorunome.msc2409.ephemeral', ephemeral));
        }
      }
      if (toDevice.length > 0) {
        members.push(listMember('de.sorunome.msc2409.to_device', toDevice));
      }
      const events = ofKind(chosen, 'event');
      if (events.length + members.length === 0) return { transaction: null, uptoPos };
      const rest = members.join(',');
      const newest = new Map(messages.map((one) => [one.deviceNid, one]));
      const transaction = {
        uptoPos,
        events: events.map(({ roomNid, eventNid }) => ({ roomNid, eventNid })),
        rest,
        body: bodyOf(
          events.map(({ json }) => json),
          rest,
        ),
        counts: {
          events: events.length,
          ephemeral: ephemeral.length,
          messages: toDevice.length,
        },
        devices: [...newest.values()],
      };
      return { transaction, uptoPos };
    },
    async again(stored) {
      const texts = await eventTexts(stored.events);
      const events = stored.events.flatMap(({ eventNid }) => texts.get(eventNid) ?? []);
      return {
        ...stored,
        body: bodyOf(events, stored.rest),
        counts: { events: events.length, ephemeral: 0, messages: 0 },
        devices: [],
      };
    },
  };
}
