import {
  clientEventJson,
  federationEventJson,
  placeBefore,
  strippedEventJson,
  type Envelope,
  type StoredEvent,
} from '../rooms/module.ts';
import { formatPlace } from '../streams/position.ts';
import { typingEventJson } from '../typing/module.ts';
import type { RoomPlan } from './plan.ts';
import { receiptEventJson, type Receipt } from '../receipts/module.ts';
import type { AccountDataEntry, RoomUnread, UnreadCount } from './sources.ts';

/** What a joined room shows beside its events. */
export interface RoomExtras {
  receipts: readonly Receipt[];
  /** Null: nothing about typing has changed. */
  typing: readonly string[] | null;
  accountData: readonly AccountDataEntry[];
  /** Sticky events; those that the timeline has are left out (MSC4354). */
  sticky: readonly StoredEvent[];
  unread: RoomUnread | undefined;
}

export interface WriteOptions {
  now: number;
  reader: { userNid: number; deviceNid: number | null };
  /** The name of the state section. */
  stateAfter: boolean;
  /** Unread counts of threads apart from the room's. */
  threadCounts: boolean;
  /** Events are wanted as PDUs: the rest of each, by event id; null: in the clients' format. */
  envelopes: ReadonlyMap<string, Envelope> | null;
  /** Event members to be kept, null for all. */
  eventFields: ((eventJson: string) => string) | null;
  /** What other events add to an event, by its id. */
  aggregations: ReadonlyMap<string, string>;
  /** Leave out joined rooms of which nothing is left to tell. */
  skipsEmptyRooms: boolean;
  wantsEphemeral(type: string, roomId: string): boolean;
  wantsAccountData(type: string, roomId: string): boolean;
}

const eventsJson = (
  events: readonly StoredEvent[],
  options: WriteOptions,
  membershipAt: (event: StoredEvent) => string | undefined,
) =>
  events
    .map((event) => {
      const format = {
        now: options.now,
        senderNid: options.reader.userNid,
        deviceNid: options.reader.deviceNid,
        membership: membershipAt(event),
        unsigned: options.aggregations.get(event.eventId) ?? '',
      };
      const envelope = options.envelopes?.get(event.eventId);
      const json = envelope
        ? federationEventJson(event, envelope, format)
        : clientEventJson(event, format);
      return options.eventFields ? options.eventFields(json) : json;
    })
    .join(',');

const entryJson = ({ type, content }: AccountDataEntry) =>
  `{"type":${JSON.stringify(type)},"content":${content}}`;

export const entriesJson = (entries: readonly AccountDataEntry[]) =>
  entries.map(entryJson).join(',');

const countJson = ({ notifications, highlights }: UnreadCount) =>
  `{"notification_count":${notifications},"highlight_count":${highlights}}`;

function unreadJson(unread: RoomUnread | undefined, threadCounts: boolean): string {
  if (!unread) return '"unread_notifications":{"notification_count":0,"highlight_count":0}';
  if (!threadCounts) {
    const all = { ...unread.main };
    for (const count of unread.threads.values()) {
      all.notifications += count.notifications;
      all.highlights += count.highlights;
    }
    return `"unread_notifications":${countJson(all)}`;
  }
  const threads = [...unread.threads].map(
    ([threadId, count]) => `${JSON.stringify(threadId)}:${countJson(count)}`,
  );
  let text = `"unread_notifications":${countJson(unread.main)}`;
  if (threads.length > 0) text += `,"unread_thread_notifications":{${threads.join(',')}}`;
  return text;
}

function timelineJson(plan: RoomPlan, options: WriteOptions): string {
  const events = plan.events!;
  const first = events[0];
  const place = first
    ? placeBefore(first)
    : { pos: plan.afterPos >= 0 && !plan.isLimited ? plan.afterPos : plan.uptoPos, sub: 0 };
  const membershipAt = plan.membershipAt ?? (() => 'join');
  return `"timeline":{"events":[${eventsJson(events, options, membershipAt)}],"limited":${plan.isLimited},"prev_batch":"${formatPlace(place)}"}`;
}

function stateJson(plan: RoomPlan, options: WriteOptions): string {
  const name = options.stateAfter ? 'state_after' : 'state';
  return `"${name}":{"events":[${eventsJson(plan.state, options, () => undefined)}]}`;
}

function summaryJson(plan: RoomPlan): string {
  if (!plan.summary) return '"summary":{}';
  const { joinedCount, invitedCount, heroes } = plan.summary;
  let text = `"summary":{"m.joined_member_count":${joinedCount},"m.invited_member_count":${invitedCount}`;
  if (heroes) text += `,"m.heroes":${JSON.stringify(heroes)}`;
  return `${text}}`;
}

function stickyJson(plan: RoomPlan, sticky: readonly StoredEvent[], options: WriteOptions): string {
  const shown = new Set(plan.events!.map(({ eventId }) => eventId));
  const events = sticky.filter(({ eventId }) => !shown.has(eventId));
  if (events.length === 0) return '';
  return `,"msc4354_sticky":{"events":[${eventsJson(events, options, () => undefined)}]}`;
}

/** A joined room: `"id":{…}`; null: nothing is left to tell of it. */
export function joinedRoomJson(
  plan: RoomPlan,
  extras: RoomExtras,
  options: WriteOptions,
): string | null {
  const { roomId } = plan.room;
  const ephemeral: string[] = [];
  if (extras.typing && options.wantsEphemeral('m.typing', roomId)) {
    ephemeral.push(typingEventJson(extras.typing));
  }
  if (extras.receipts.length > 0 && options.wantsEphemeral('m.receipt', roomId)) {
    ephemeral.push(receiptEventJson(extras.receipts));
  }
  const accountData = extras.accountData.filter(({ type }) =>
    options.wantsAccountData(type, roomId),
  );
  const parts = [plan.events!, plan.state, ephemeral, accountData, extras.sticky];
  const hasNothing = !plan.isNew && !plan.isLimited && parts.every((part) => part.length === 0);
  if (hasNothing && options.skipsEmptyRooms) return null;
  return (
    `${JSON.stringify(roomId)}:{${timelineJson(plan, options)},${stateJson(plan, options)},` +
    `"account_data":{"events":[${entriesJson(accountData)}]},` +
    `"ephemeral":{"events":[${ephemeral.join(',')}]},` +
    `${unreadJson(extras.unread, options.threadCounts)},${summaryJson(plan)}` +
    `${extras.sticky.length > 0 ? stickyJson(plan, extras.sticky, options) : ''}}`
  );
}

/** A room the user has left: `"id":{…}`. */
export function leftRoomJson(
  plan: RoomPlan,
  accountData: readonly AccountDataEntry[],
  options: WriteOptions,
): string {
  const { roomId } = plan.room;
  const wanted = accountData.filter(({ type }) => options.wantsAccountData(type, roomId));
  return (
    `${JSON.stringify(roomId)}:{${timelineJson(plan, options)},${stateJson(plan, options)},` +
    `"account_data":{"events":[${entriesJson(wanted)}]}}`
  );
}

/** An invite or a knock: `"id":{…}`, with what the user may know of the room. */
export function strippedRoomJson(plan: RoomPlan): string {
  const name = plan.section === 'invite' ? 'invite_state' : 'knock_state';
  const events = plan.state.map(strippedEventJson).join(',');
  return `${JSON.stringify(plan.room.roomId)}:{"${name}":{"events":[${events}]}}`;
}
