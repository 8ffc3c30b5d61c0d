import { MatrixError } from '../kernel/errors.ts';
import { receiptEventJson } from '../receipts/module.ts';
import type { StreamPosition } from '../streams/position.ts';
import {
  entriesJson,
  messagesMax,
  type AccountDataChanges,
  type DeviceView,
  type SyncParts,
  type SyncSources,
  type UserView,
} from '../sync/module.ts';
import { typingEventJson } from '../typing/module.ts';
import type { ConnectionState } from './connection.ts';
import type { RoomsInView } from './lists.ts';
import { stickyEvents } from './sticky-events.ts';
import { threadSubscriptions } from './thread-subscriptions.ts';
import type { ExtensionWish, SlidingRequest } from './request.ts';

export interface ExtensionContext {
  user: UserView;
  device: DeviceView | null;
  request: SlidingRequest;
  state: ConnectionState;
  /** Null: the client begins anew. */
  since: StreamPosition | null;
  upto: StreamPosition;
  view: RoomsInView;
  /** Rooms that are sent for the first time, with the ids of the events that are shown of them. */
  newRooms: ReadonlyMap<number, ReadonlySet<string>>;
  /** Ids of the events in the answer's timelines. */
  shown: ReadonlySet<string>;
  /** Milliseconds since 1970. */
  now: number;
}

/** One extension's part of an answer; null: it was not asked for. */
export type ExtensionPart = { json: string; isNews: boolean } | null;

export interface ExtensionNeeds {
  sources: SyncSources;
  parts: Pick<SyncParts, 'deviceNews' | 'deviceLists'>;
}

const isFor = (names: readonly string[] | undefined, name: string) =>
  names === undefined || names.includes('*') || names.includes(name);

/** Rooms in view that an extension is wanted for. */
function roomsFor({ view, user }: ExtensionContext, wish: ExtensionWish): number[] {
  const nids = new Set<number>();
  for (const list of view.lists) {
    if (!isFor(wish.lists, list.name)) continue;
    for (const { rooms } of list.ops) for (const { roomNid } of rooms) nids.add(roomNid);
  }
  for (const nid of view.subscribed) {
    if (isFor(wish.rooms, user.rooms.get(nid)!.roomId)) nids.add(nid);
  }
  return [...nids].filter((nid) => user.rooms.get(nid)!.membership === 'join');
}

/** How far a connection is in a room; -1: it knows nothing of it. */
function reached({ state, since, newRooms }: ExtensionContext, roomNid: number): number {
  const sent = newRooms.has(roomNid) ? undefined : state.rooms.get(roomNid);
  return sent && since ? sent.uptoPos || since.durable : -1;
}

/** A token of messages to a device: a number. Throws M_INVALID_PARAM. */
export function parseToDeviceToken(text: string | undefined): StreamPosition | null {
  if (text === undefined) return null;
  if (!/^\d{1,16}$/.test(text)) {
    throw new MatrixError('M_INVALID_PARAM', '`since` of to_device is not a token of this server');
  }
  return { durable: Number(text), ephemeral: 0, tag: '' };
}

async function toDevice(context: ExtensionContext, needs: ExtensionNeeds): Promise<ExtensionPart> {
  const wish = context.request.extensions.to_device;
  if (!wish?.enabled) return null;
  const { user, device, upto } = context;
  const since = parseToDeviceToken(wish.since);
  const uptoPos = upto.durable;
  // Nothing at all would be no progress.
  const limit = Math.max(wish.limit ?? messagesMax, 1);
  const news = device && (await needs.parts.deviceNews.news(user, device, since, uptoPos, limit));
  const next = news?.toDevice ?? Math.max(uptoPos, since?.durable ?? 0);
  const messages = news?.messages ?? [];
  const json = `"to_device":{"next_batch":"${next}","events":[${messages.join(',')}]}`;
  return { json, isNews: messages.length > 0 };
}

async function encryption(
  context: ExtensionContext,
  needs: ExtensionNeeds,
): Promise<ExtensionPart> {
  if (!context.request.extensions.e2ee?.enabled) return null;
  const { user, device, since, upto } = context;
  const { deviceNews, deviceLists } = needs.parts;
  const [lists, keys] = await Promise.all([
    since ? deviceLists(user, since.durable, upto.durable) : null,
    deviceNews.keysJson(user, device),
  ]);
  const isNews = lists !== null && lists.changed.length + lists.left.length > 0;
  const shown = lists ? `"device_lists":${JSON.stringify(lists)},` : '';
  return { json: `"e2ee":{${shown}${keys}}`, isNews };
}

async function accountData(
  context: ExtensionContext,
  needs: ExtensionNeeds,
): Promise<ExtensionPart> {
  const { request, since, user, newRooms, state } = context;
  if (!request.extensions.account_data?.enabled) return null;
  const isQuiet = since !== null && since.durable >= user.since && user.ownPos <= since.durable;
  const source = needs.sources.accountData;
  const none: AccountDataChanges = { global: [], rooms: new Map() };
  const [changed, all] = await Promise.all([
    since === null || isQuiet ? none : source.changes(user.userNid, since.durable),
    since === null || newRooms.size > 0 ? source.changes(user.userNid, -1) : none,
  ]);
  const global = since === null ? all.global : changed.global;
  const rooms: string[] = [];
  const add = (roomNid: number, entries: AccountDataChanges['global']) => {
    const room = user.rooms.get(roomNid);
    if (room && entries.length > 0) {
      rooms.push(`${JSON.stringify(room.roomId)}:[${entriesJson(entries)}]`);
    }
  };
  for (const nid of newRooms.keys()) add(nid, all.rooms.get(nid) ?? []);
  for (const [nid, entries] of changed.rooms) {
    if (!newRooms.has(nid) && state.rooms.has(nid)) add(nid, entries);
  }
  const json = `"account_data":{"global":[${entriesJson(global)}],"rooms":{${rooms.join(',')}}}`;
  return { json, isNews: global.length + rooms.length > 0 };
}

async function receipts(context: ExtensionContext, needs: ExtensionNeeds): Promise<ExtensionPart> {
  const wish = context.request.extensions.receipts;
  if (!wish?.enabled) return null;
  const { user, upto } = context;
  const wanted = roomsFor(context, wish).flatMap((roomNid) => {
    const view = user.rooms.get(roomNid)!.view!;
    const afterPos = reached(context, roomNid);
    const mayHave = afterPos < view.createdPos || view.receiptPos > afterPos;
    return mayHave ? [{ roomNid, afterPos }] : [];
  });
  const found =
    wanted.length === 0
      ? new Map<number, never>()
      : await needs.sources.receipts.changed(wanted, upto.durable, user.userNid);
  const rooms = [...found].flatMap(([roomNid, list]) => {
    // Of a room that is new to the client: where the user is, and who has read what is shown.
    const shown = context.newRooms.get(roomNid);
    const wantedOnes = shown
      ? list.filter(({ eventId, userId }) => userId === user.userId || shown.has(eventId))
      : list;
    if (wantedOnes.length === 0) return [];
    return [`${JSON.stringify(user.rooms.get(roomNid)!.roomId)}:${receiptEventJson(wantedOnes)}`];
  });
  return { json: `"receipts":{"rooms":{${rooms.join(',')}}}`, isNews: rooms.length > 0 };
}

function typing(context: ExtensionContext, needs: ExtensionNeeds): ExtensionPart {
  const wish = context.request.extensions.typing;
  if (!wish?.enabled) return null;
  const { user, since, newRooms } = context;
  const rooms = roomsFor(context, wish).flatMap((roomNid) => {
    const { view, roomId } = user.rooms.get(roomNid)!;
    const isNew = since === null || newRooms.has(roomNid);
    if (!isNew && view!.typingPos <= since.ephemeral) return [];
    const users = needs.sources.typing.usersIn(roomNid);
    if (isNew && users.length === 0) return [];
    return [`${JSON.stringify(roomId)}:${typingEventJson(users)}`];
  });
  return { json: `"typing":{"rooms":{${rooms.join(',')}}}`, isNews: rooms.length > 0 };
}

/** The extensions of an answer. */
export async function extensionsOf(
  context: ExtensionContext,
  needs: ExtensionNeeds,
): Promise<{ json: string; isNews: boolean }> {
  const parts = await Promise.all([
    toDevice(context, needs),
    encryption(context, needs),
    accountData(context, needs),
    receipts(context, needs),
    threadSubscriptions(context, needs),
    stickyEvents(context, roomsFor(context, {}), needs),
  ]);
  const asked = [...parts, typing(context, needs)].filter((part) => part !== null);
  return {
    json: `{${asked.map((part) => part.json).join(',')}}`,
    isNews: asked.some((part) => part.isNews),
  };
}
