import type { Caller } from '../http/endpoint.ts';
import { allOf } from '../kernel/all-of.ts';
import type { Clock } from '../kernel/clock.ts';
import { compileEventFields } from '../matrix/filters/event-fields.ts';
import type { RoomEventFilter } from '../matrix/filters/event-filter.ts';
import type { Filter } from '../matrix/filters/filter.ts';
import { contentOf, timelineMatchOf, type StoredEvent } from '../rooms/module.ts';
import type { Receipt } from '../receipts/module.ts';
import { positionOf, type Bus } from '../streams/bus.ts';
import { formatPosition, type StreamPosition } from '../streams/position.ts';
import type { DeviceListReader } from './device-lists.ts';
import type { DeviceNewsReader } from './device-news.ts';
import { isHiddenInvite, unwantedInviters } from './hidden-invites.ts';
import type { LazyMemberMemory } from './lazy-members.ts';
import type { LoadOptions, RoomLoader } from './load-rooms.ts';
import { joinedPlan, planRooms, type PlanOptions, type RoomPlan } from './plan.ts';
import { pageOf, parentsIn } from './parents.ts';
import type { AccountDataChanges, SyncSources } from './sources.ts';
import type { DeviceView } from './views/device-view.ts';
import type { RoomOfUser, UserView } from './views/user-view.ts';
import type { SyncViews } from './views/views.ts';
import { waitForNews } from './wait.ts';
import {
  entriesJson,
  joinedRoomJson,
  leftRoomJson,
  strippedRoomJson,
  type WriteOptions,
} from './write-rooms.ts';

/** Who syncs. */
export interface SyncReader {
  userId: string;
  userNid: number;
  deviceId: string | null;
  deviceNid: number | null;
}

export interface SyncRequest {
  reader: SyncReader;
  /** Null: the client begins anew. */
  since: StreamPosition | null;
  /** `since` is of an answer of this process. */
  goesOn: boolean;
  filter: Filter;
  fullState: boolean;
  stateAfter: boolean;
  /** How long to wait for something new, in milliseconds. */
  timeoutMs: number;
  caller: Caller;
}

/** An answer: its pieces, to be sent one after the other. */
export type SyncAnswer = string | AsyncIterable<string>;

const timelineLimitDefault = 10;
const timelineLimitMax = 1000;
/** Rooms of an initial sync that are read and written together; bounds its memory. */
const roomsAtOnce = 100;

/** Sticky events in an answer; of more the oldest come. Bounds its memory. */
const stickyMax = 1000;

/** What is the same for all rooms of an answer. */
type CommonOptions = Omit<WriteOptions, 'aggregations' | 'envelopes'>;

const nothing: ReadonlyMap<string, string> = new Map();
type ReceiptsByRoom = ReadonlyMap<number, readonly Receipt[]>;
const noReceipts: ReceiptsByRoom = new Map();
const noChanges: AccountDataChanges = { global: [], rooms: new Map() };

export interface SyncEngineNeeds {
  bus: Bus;
  clock: Clock;
  views: SyncViews;
  loader: RoomLoader;
  lazyMembers: LazyMemberMemory;
  deviceNews: DeviceNewsReader;
  deviceLists: DeviceListReader;
  sources: SyncSources;
}

/** Who is there while a sync goes on. */
interface Syncing {
  user: UserView;
  /** Null: the token belongs to no device. */
  device: DeviceView | null;
}

const noNews = { messages: [], toDevice: undefined };

/** Answers `/sync`. */
export interface SyncEngine {
  sync(request: SyncRequest): Promise<SyncAnswer>;
}

export function createSyncEngine(needs: SyncEngineNeeds): SyncEngine {
  const { bus, views, sources, deviceNews } = needs;

  function planOptions(request: SyncRequest, upto: StreamPosition): PlanOptions {
    const { room } = request.filter;
    const wanted = room.timeline.limit ?? timelineLimitDefault;
    return {
      since: request.since?.durable ?? null,
      uptoPos: upto.durable,
      timelineLimit: Math.min(wanted, timelineLimitMax),
      includeLeave: room.includeLeave,
      fullState: request.fullState,
      wantsRoom: (roomId) => room.admitsRoom(roomId),
    };
  }

  async function loadOptions(request: SyncRequest, plan: PlanOptions): Promise<LoadOptions> {
    const { reader, filter, since } = request;
    const { timeline, state } = filter.room;
    const lazy = state.lazyLoadMembers || timeline.lazyLoadMembers;
    const device = `${reader.userNid} ${reader.deviceNid ?? 0}`;
    const ignoredUsers = await sources.accountData.ignoredUsers(reader.userNid);
    return {
      user: reader,
      timelineLimit: plan.timelineLimit,
      timelineFilter: timeline,
      timelineMatch: timelineMatchOf(timeline, ignoredUsers),
      stateFilter: state,
      ignoredUsers,
      stateAfter: request.stateAfter,
      fullState: request.fullState,
      isIncremental: since !== null,
      lazyMembers: lazy
        ? needs.lazyMembers.of(device, {
            goesOn: request.goesOn,
            sendsRedundant: state.includeRedundantMembers,
          })
        : null,
    };
  }

  function writeOptions(request: SyncRequest): CommonOptions {
    const { filter, reader } = request;
    const keep = filter.eventFields ? compileEventFields(filter.eventFields) : null;
    const admits = (section: RoomEventFilter) => (type: string, roomId: string) =>
      section.admitsRoom(roomId) && (section.matchesAll || section.admits(type, null));
    return {
      now: needs.clock.now(),
      reader,
      skipsEmptyRooms: request.since !== null && !request.fullState,
      stateAfter: request.stateAfter,
      threadCounts: filter.room.timeline.unreadThreadNotifications,
      eventFields: keep ? (json) => JSON.stringify(keep(JSON.parse(json) as never)) : null,
      wantsEphemeral: admits(filter.room.ephemeral),
      wantsAccountData: admits(filter.room.accountData),
    };
  }

  /** Receipts of rooms in which there may be new ones. */
  function changedReceipts(
    user: UserView,
    request: SyncRequest,
    plans: ReadonlyMap<number, RoomPlan>,
    options: PlanOptions,
  ): ReceiptsByRoom | Promise<ReceiptsByRoom> {
    const { room } = request.filter;
    const since = options.since ?? -1;
    const wanted: { roomNid: number; afterPos: number }[] = [];
    for (const { view, roomNid, roomId } of user.rooms.values()) {
      if (!view) continue;
      const isNew = plans.get(roomNid)?.isNew ?? false;
      const mayHave = isNew || since < view.createdPos || view.receiptPos > since;
      if (mayHave && room.admitsRoom(roomId) && room.ephemeral.admitsRoom(roomId)) {
        wanted.push({ roomNid, afterPos: isNew ? -1 : since });
      }
    }
    const isWanted = room.ephemeral.matchesAll || room.ephemeral.admits('m.receipt', null);
    if (wanted.length === 0 || !isWanted) return noReceipts;
    return sources.receipts.changed(wanted, options.uptoPos, user.userNid);
  }

  function changedAccountData(user: UserView, since: number | null) {
    if (since !== null && since >= user.since && user.ownPos <= since) return noChanges;
    return sources.accountData.changes(user.userNid, since ?? -1);
  }

  /** Whether who is typing in a room has changed since. */
  function typingIn(
    { roomNid, view }: RoomOfUser,
    since: StreamPosition | null,
  ): readonly string[] | null {
    const pos = view?.typingPos ?? 0;
    if (since !== null && pos <= since.ephemeral) return null;
    const users = sources.typing.usersIn(roomNid);
    return since === null && users.length === 0 ? null : users;
  }

  /** Joined rooms in which only something other than the timeline has changed. */
  function addQuietRooms(
    user: UserView,
    plans: Map<number, RoomPlan>,
    roomNids: Iterable<number>,
    options: PlanOptions,
  ): void {
    for (const nid of roomNids) {
      const room = user.rooms.get(nid);
      if (plans.has(nid) || room?.membership !== 'join' || !options.wantsRoom(room.roomId))
        continue;
      const plan = joinedPlan(room, options);
      plan.events ??= [];
      plans.set(nid, plan);
    }
  }

  /** Users whom the reader meets for the first time; undefined when there are none. */
  async function newcomers(plans: readonly RoomPlan[]): Promise<number[] | undefined> {
    const joined = plans.filter((plan) => plan.section === 'join');
    const entered = joined.filter((plan) => plan.isNew).map((plan) => plan.room.roomNid);
    const found = joined
      .filter((plan) => !plan.isNew)
      .flatMap((plan) => plan.events ?? [])
      .filter(isArrival)
      .map((event) => event.senderNid);
    if (entered.length > 0) found.push(...(await needs.loader.memberNids(entered)));
    return found.length > 0 ? found : undefined;
  }

  /** The answer, or null when there is nothing new. */
  async function build(
    { user, device }: Syncing,
    request: SyncRequest,
    upto: StreamPosition,
  ): Promise<SyncAnswer | null> {
    const { since, reader, filter } = request;
    const options = planOptions(request, upto);
    const plans = planRooms(user, options);
    let newlySharing: number[] | undefined;
    if (options.since !== null && plans.size > 0) {
      const planned = [...plans.values()];
      await needs.loader.settleJoins(planned, reader.userId, options.since);
      newlySharing = await newcomers(planned);
    }
    const presence = sources.presence.changes(reader, since?.ephemeral ?? null, newlySharing);
    const [receipts, accountData, presenceEvents, news, lists] = await allOf([
      changedReceipts(user, request, plans, options),
      changedAccountData(user, options.since),
      presence,
      device ? deviceNews.news(user, device, since, upto.durable) : noNews,
      options.since === null ? null : needs.deviceLists(user, options.since, upto.durable),
    ]);
    addQuietRooms(user, plans, receipts.keys(), options);
    addQuietRooms(user, plans, accountData.rooms.keys(), options);
    if (since !== null) {
      const typing: number[] = [];
      for (const { roomNid, view } of user.rooms.values()) {
        if (view && view.typingPos > since.ephemeral) typing.push(roomNid);
      }
      addQuietRooms(user, plans, typing, options);
    }
    const presenceWanted = presenceEvents.filter(
      ({ sender }) => filter.presence.matchesAll || filter.presence.admits('m.presence', sender),
    );
    const global = accountData.global.filter(
      ({ type }) => filter.accountData.matchesAll || filter.accountData.admits(type, null),
    );
    const hasNoOtherNews =
      since !== null &&
      global.length + presenceWanted.length + news.messages.length === 0 &&
      (lists === null || lists.changed.length + lists.left.length === 0);
    if (hasNoOtherNews && plans.size === 0) return null;

    const next = news.toDevice === undefined ? upto : { ...upto, toDevice: news.toDevice };
    const head =
      `{"next_batch":"${formatPosition(next)}","account_data":{"events":[${entriesJson(global)}]},` +
      `"presence":{"events":[${presenceWanted.map(({ json }) => json).join(',')}]},` +
      `"to_device":{"events":[${news.messages.join(',')}]},` +
      (lists ? `"device_lists":${JSON.stringify(lists)},` : '') +
      (await deviceNews.keysJson(user, device));
    const load = await loadOptions(request, options);
    const write = writeOptions(request);
    const roomsOf = (some: RoomPlan[]) =>
      roomSections(some, { request, load, write, receipts, accountData });
    const all = [...plans.values()];
    if (all.length > roomsAtOnce) return streamed(head, all, roomsOf);
    const sections = await roomsOf(all);
    const hasRooms = Object.values(sections).some((rooms) => rooms.length > 0);
    // Filters may have left nothing of what has happened.
    if (hasNoOtherNews && !request.fullState && !hasRooms) return null;
    return `${head},${joinSections([sections])}}`;
  }

  interface Parts {
    request: SyncRequest;
    load: LoadOptions;
    write: CommonOptions;
    receipts: ReceiptsByRoom;
    accountData: AccountDataChanges;
  }

  /** Nothing is asked when no timeline says that there is anything to be found. */
  async function aggregationsFor(plans: RoomPlan[], load: LoadOptions, reader: SyncReader) {
    const pages = plans.flatMap((plan) => {
      const events = parentsIn(plan, load.timelineFilter.matchesAll);
      return events.length > 0 ? [pageOf(plan, events)] : [];
    });
    return pages.length > 0 ? sources.aggregations.of(pages, reader) : nothing;
  }

  /** Sticky events since the last answer; in rooms that are new to the client, all of them. */
  async function stickyIn(
    plans: readonly RoomPlan[],
    { since }: SyncRequest,
    { ignoredUsers }: LoadOptions,
  ): Promise<Map<number, StoredEvent[]>> {
    if (!sources.stickyEvents || plans.length === 0) return new Map();
    const ranges = plans.map(({ room, isNew }) => ({
      roomNid: room.roomNid,
      afterPos: isNew ? 0 : (since?.durable ?? 0),
    }));
    const events = await sources.stickyEvents.inRooms(ranges, plans[0]!.uptoPos, stickyMax);
    const wanted = events.filter(
      ({ stateKey, sender }) => stateKey !== null || !ignoredUsers.has(sender),
    );
    return Map.groupBy(wanted, ({ roomNid }) => roomNid);
  }

  type Sections = Record<RoomPlan['section'], string[]>;

  async function roomSections(plans: RoomPlan[], parts: Parts): Promise<Sections> {
    const { request, load, receipts, accountData } = parts;
    const { reader, since } = request;
    const joined = plans.filter((plan) => plan.section === 'join');
    const [unread, unwanted, sticky] = await allOf([
      joined.length === 0
        ? null
        : sources.unread.counts(
            reader,
            joined.map((plan) => plan.room.roomNid),
          ),
      plans.some(({ section }) => section === 'invite')
        ? unwantedInviters(sources, reader.userNid)
        : null,
      stickyIn(joined, request, load),
      needs.loader.load(plans, load),
    ]);
    const [aggregations, envelopes] = await allOf([
      aggregationsFor(plans, load, reader),
      request.filter.eventFormat === 'federation'
        ? needs.loader.envelopes([
            ...plans.flatMap((plan) => [...plan.events!, ...plan.state]),
            ...[...sticky.values()].flat(),
          ])
        : null,
    ]);
    const write = { ...parts.write, aggregations, envelopes };
    const sections: Sections = { join: [], invite: [], knock: [], leave: [] };
    for (const plan of plans) {
      const { roomNid } = plan.room;
      const data = accountData.rooms.get(roomNid) ?? [];
      let json: string | null;
      if (plan.section === 'join') {
        const typing = typingIn(plan.room, plan.isNew ? null : since);
        const extras = {
          receipts: receipts.get(roomNid) ?? [],
          typing,
          accountData: data,
          sticky: sticky.get(roomNid) ?? [],
          unread: unread?.get(roomNid),
        };
        json = joinedRoomJson(plan, extras, write);
      } else if (plan.section === 'leave') {
        json = leftRoomJson(plan, data, write);
      } else {
        if (unwanted && isHiddenInvite(plan, reader.userId, unwanted)) continue;
        json = strippedRoomJson(plan);
      }
      if (json !== null) sections[plan.section].push(json);
    }
    return sections;
  }

  async function* streamed(
    head: string,
    plans: readonly RoomPlan[],
    roomsOf: (some: RoomPlan[]) => Promise<Sections>,
  ): AsyncGenerator<string> {
    yield `${head},"rooms":{"join":{`;
    const others = plans.filter((plan) => plan.section !== 'join');
    const joined = plans.filter((plan) => plan.section === 'join');
    let isFirst = true;
    for (let i = 0; i < joined.length; i += roomsAtOnce) {
      // One after the other on purpose: memory is bounded by what is being written.
      // oxlint-disable-next-line no-await-in-loop
      const { join } = await roomsOf(joined.slice(i, i + roomsAtOnce));
      if (join.length === 0) continue;
      yield `${isFirst ? '' : ','}${join.join(',')}`;
      isFirst = false;
    }
    const { invite, knock, leave } = await roomsOf(others);
    yield `},"invite":{${invite.join(',')}},"knock":{${knock.join(',')}},"leave":{${leave.join(',')}}}}`;
  }

  /** Whether a client has been told all that there is, as far as is known without looking. */
  function isQuiet({ user, device }: Syncing, { since, fullState }: SyncRequest): boolean {
    if (since === null || fullState || !user.isQuietSince(since)) return false;
    return device === null || !deviceNews.hasNews(device, since);
  }

  return {
    async sync(request) {
      const { reader, since, caller } = request;
      // Who does not wait for news is told all that there was when it asked, also by other processes.
      if (request.timeoutMs === 0) await bus.caughtUp();
      const user = await views.acquire(reader.userNid, reader.userId);
      try {
        const device =
          reader.deviceNid === null ? null : await deviceNews.open(user, reader.deviceNid);
        if (device && since !== null) deviceNews.acknowledge(user, device, since);
        const syncing = { user, device };
        const untilMs = Date.now() + request.timeoutMs;
        let isWaiting = request.timeoutMs > 0 && isQuiet(syncing, request);
        for (;;) {
          // Who waits at once stays where it is: a wake-up from before this position may still come.
          const upto = isWaiting ? since! : positionOf(bus);
          // oxlint-disable-next-line no-await-in-loop
          const answer = isWaiting ? null : await build(syncing, request, upto);
          if (answer !== null) return answer;
          const isBehind = !isWaiting && bus.position() > upto.durable;
          isWaiting = false;
          // oxlint-disable-next-line no-await-in-loop
          if (!isBehind && !(await waitForNews(syncing, untilMs, caller))) {
            return emptyAnswer(upto, since, await deviceNews.keysJson(user, device));
          }
        }
      } finally {
        views.release(user);
      }
    },
  };
}

/** Whether somebody has joined who was not joined before. */
const isArrival = (event: StoredEvent) =>
  event.type === 'm.room.member' &&
  event.stateKey === event.sender &&
  contentOf(event)['membership'] === 'join' &&
  !event.unsigned?.includes('"membership":"join"');

const emptyAnswer = (upto: StreamPosition, since: StreamPosition | null, keysJson: string) => {
  const next = {
    ...upto,
    durable: Math.max(upto.durable, since?.durable ?? 0),
  };
  return `{"next_batch":"${formatPosition(next)}","account_data":{"events":[]},"presence":{"events":[]},"to_device":{"events":[]},${keysJson},"rooms":{"join":{}}}`;
};

function joinSections(sections: readonly Record<RoomPlan['section'], string[]>[]): string {
  const parts = (['join', 'invite', 'knock', 'leave'] as const).flatMap((name) => {
    const rooms = sections.flatMap((section) => section[name]);
    return rooms.length > 0 || name === 'join' ? [`"${name}":{${rooms.join(',')}}`] : [];
  });
  return `"rooms":{${parts.join(',')}}`;
}
