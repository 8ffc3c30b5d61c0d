import type { Caller } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { emptyFilter } from '../matrix/filters/filter.ts';
import { timelineMatchOf } from '../rooms/module.ts';
import { arriveAt, positionOf, type Bus } from '../streams/bus.ts';
import type { StreamPosition } from '../streams/position.ts';
import {
  isUnwanted,
  pageOf,
  parentsIn,
  unwantedInviters,
  waitForNews,
  type DeviceView,
  type RoomOfUser,
  type RoomPlan,
  type SyncParts,
  type SyncReader,
  type SyncSources,
  type UserView,
} from '../sync/module.ts';
import type { ConnectionState, StateDraft } from './connection.ts';
import { formatPos, type ConnectionPlace, type Connections } from './connections.ts';
import { extensionsOf, parseToDeviceToken } from './extensions.ts';
import type { RoomLabels } from './labels.ts';
import {
  bumpStampOf,
  listsJson,
  needsLabels,
  roomsInView,
  type ListedRoom,
  type RoomsInView,
} from './lists.ts';
import type { SlidingRequest } from './request.ts';
import { roomJson, type RoomAnswer } from './room-answers.ts';
import type { RoomFactsCache } from './room-facts.ts';
import {
  draftOf,
  isGone,
  ownMemberWish,
  planAnswer,
  shownUpto,
  type SlidingPlan,
} from './room-plans.ts';
import { loadRoomStates, type MemberNames, type RoomState } from './room-states.ts';
import type { RoomStore } from './store/rooms.ts';

export interface SlidingSyncNeeds {
  bus: Bus;
  clock: Clock;
  parts: SyncParts;
  sources: SyncSources;
  connections: Connections;
  facts: RoomFactsCache;
  labels(userNid: number): Promise<RoomLabels>;
  store: RoomStore;
  names: MemberNames;
}

export interface SlidingSyncCall {
  reader: SyncReader;
  request: SlidingRequest;
  /** Null: the client begins anew. */
  place: ConnectionPlace | null;
  timeoutMs: number;
  caller: Caller;
}

interface Syncing {
  user: UserView;
  device: DeviceView | null;
  call: SlidingSyncCall;
  state: ConnectionState;
}

/** State whose change shows in a room's name, avatar, members. */
const infoTypes = new Set(['m.room.name', 'm.room.avatar', 'm.room.member']);

/** Answers simplified sliding sync (MSC4186). */
export function createSlidingSync(needs: SlidingSyncNeeds) {
  const { bus, parts, sources, store } = needs;

  /** Without invites that the user does not want to see. */
  async function withoutUnwanted(rooms: RoomOfUser[], userNid: number): Promise<RoomOfUser[]> {
    const invites = rooms.filter(({ membership }) => membership === 'invite');
    if (invites.length === 0) return rooms;
    const unwanted = await unwantedInviters(sources, userNid);
    const inviters = await Promise.all(
      invites.map(async ({ senderNid }) => needs.names.userId(senderNid)),
    );
    const hidden = new Set(invites.filter((_invite, i) => isUnwanted(inviters[i]!, unwanted)));
    return hidden.size === 0 ? rooms : rooms.filter((room) => !hidden.has(room));
  }

  /** Rooms that may be listed, newest first. */
  async function listedRooms(user: UserView): Promise<ListedRoom[]> {
    const all = [...user.rooms.values()].filter((room) => !isGone(room, user.userNid));
    const rooms = await withoutUnwanted(all, user.userNid);
    const facts = await needs.facts.of(rooms.map((room) => room.roomNid));
    const listed = rooms.map((room) => ({ room, facts: facts.get(room.roomNid)! }));
    return listed.sort((a, b) => bumpStampOf(b) - bumpStampOf(a));
  }

  async function viewOf(listed: ListedRoom[], user: UserView, request: SlidingRequest) {
    const filters = request.lists.map((list) => list.filters);
    const spaces = filters.filter((one) => one.spaces);
    const [labels, ...children] = await Promise.all([
      filters.some(needsLabels) ? needs.labels(user.userNid) : null,
      ...spaces.map((one) => store.childrenOf(one.spaces!)),
    ]);
    const childrenOf = new Map(spaces.map((one, i) => [one, new Set(children[i])]));
    return roomsInView(listed, request, { labels, childrenOf });
  }

  /** Timelines and stripped state; rooms with one limit are read together. */
  async function loadTimelines(plans: readonly SlidingPlan[], reader: SyncReader): Promise<void> {
    const ignoredUsers = await sources.accountData.ignoredUsers(reader.userNid);
    const byLimit = Map.groupBy(plans, ({ wish }) => wish.timelineLimit);
    await Promise.all(
      [...byLimit].map(([timelineLimit, some]) =>
        parts.loader.load(
          some.map(({ plan }) => plan),
          {
            user: reader,
            timelineLimit,
            timelineFilter: emptyFilter.room.timeline,
            timelineMatch: timelineMatchOf(emptyFilter.room.timeline, ignoredUsers),
            stateFilter: emptyFilter.room.state,
            ignoredUsers,
            stateAfter: true,
            fullState: false,
            isIncremental: false,
            lazyMembers: null,
            timelineOnly: true,
          },
        ),
      ),
    );
  }

  const showsInfo = ({ plan, sent }: SlidingPlan) =>
    plan.section === 'join' &&
    (sent === null ||
      plan.isLimited ||
      plan.hasForks ||
      plan.events!.some(({ type, stateKey }) => stateKey !== null && infoTypes.has(type)));

  async function answersFor(
    plans: readonly SlidingPlan[],
    listed: readonly ListedRoom[],
    { call }: Syncing,
  ): Promise<{ answers: RoomAnswer[]; states: Map<number, RoomState> }> {
    const { reader } = call;
    const joined = plans.filter(({ plan }) => plan.section === 'join');
    const left = plans.filter(({ plan }) => plan.section === 'leave');
    const nidsOf = (some: readonly SlidingPlan[]) => some.map(({ plan }) => plan.room.roomNid);
    const informed = nidsOf(plans.filter(showsInfo));
    const isAnyNew = plans.some(({ sent }) => sent === null);
    const [states, infos, unread, labels] = await Promise.all([
      loadRoomStates([...joined, ...left], store, needs.names),
      informed.length > 0 ? store.infos(informed, reader.userNid) : [],
      joined.length > 0 ? sources.unread.counts(reader, nidsOf(joined)) : null,
      isAnyNew ? needs.labels(reader.userNid) : null,
    ]);
    const infoOf = new Map(infos.map((info) => [info.roomNid, info]));
    const stampOf = new Map(listed.map((one) => [one.room.roomNid, bumpStampOf(one)]));
    const answers = plans.map((one): RoomAnswer => {
      const { roomNid, roomId, pos } = one.plan.room;
      return {
        one,
        bumpStamp: stampOf.get(roomNid) ?? pos,
        isDirect: one.sent === null && (labels?.direct.has(roomId) ?? false),
        info: infoOf.get(roomNid) ?? null,
        state: states.get(roomNid) ?? null,
        unread: unread?.get(roomNid),
      };
    });
    return { answers: answers.filter(isNews), states };
  }

  async function roomsJson(answers: readonly RoomAnswer[], { call }: Syncing): Promise<string> {
    const pages = answers.flatMap(({ one: { plan } }) => {
      const events = parentsIn(plan, true);
      return events.length > 0 ? [pageOf(plan, events)] : [];
    });
    const format = {
      now: needs.clock.now(),
      reader: call.reader,
      since: call.place?.since.durable ?? null,
      aggregations:
        pages.length > 0
          ? await sources.aggregations.of(pages, call.reader)
          : new Map<string, string>(),
    };
    return answers.map((answer) => roomJson(answer, format)).join(',');
  }

  /** The answer; null when there is nothing new and the client can wait. */
  async function build(
    syncing: Syncing,
    upto: StreamPosition,
    canWait: boolean,
  ): Promise<string | null> {
    const { user, device, call, state } = syncing;
    const { request, place, reader } = call;
    const since = place?.since ?? null;
    const listed = await listedRooms(user);
    const view = await viewOf(listed, user, request);
    const context = { state, since: since?.durable ?? null, uptoPos: upto.durable };
    const plans = planAnswer(user, view, context);
    if (plans.length > 0) await loadTimelines(plans, reader);
    for (const one of plans) {
      if (!one.plan.isStateHidden) continue;
      one.wish = ownMemberWish(user.userId, one.wish.timelineLimit);
    }
    const { answers, states } = await answersFor(plans, listed, syncing);
    const newRooms = new Map(
      plans
        .filter(({ sent, plan }) => sent === null && plan.section === 'join')
        .map(({ plan }) => [plan.room.roomNid, eventIdsOf(plan)] as const),
    );
    const shown = new Set(answers.flatMap(({ one }) => [...eventIdsOf(one.plan)]));
    const now = needs.clock.now();
    const extensions = await extensionsOf(
      { user, device, request, state, since, upto, view, newRooms, shown, now },
      { sources, parts },
    );
    if (canWait && answers.length === 0 && !extensions.isNews) return null;

    const draft = draftOf(user.rooms, view, context);
    noteSent(draft, view, plans, { states, rooms: user.rooms });
    const key = keyOf(call);
    const stateId = await needs.connections.keep(key, state.id, draft);
    return (
      `{"pos":"${formatPos({ stateId, since: upto })}","lists":${listsJson(view.lists)},` +
      `"rooms":{${await roomsJson(answers, syncing)}},"extensions":${extensions.json}}`
    );
  }

  async function begin(call: SlidingSyncCall, user: UserView): Promise<Syncing> {
    const { reader, place, request } = call;
    const state = await needs.connections.state(keyOf(call), place?.stateId ?? 0);
    const device =
      reader.deviceNid === null ? null : await parts.deviceNews.open(user, reader.deviceNid);
    const wish = request.extensions.to_device;
    const arrived = wish?.enabled ? parseToDeviceToken(wish.since) : null;
    if (device && arrived) parts.deviceNews.acknowledge(user, device, arrived);
    return { user, device, call, state };
  }

  return {
    /** JSON text of the answer. Throws M_UNKNOWN_POS. */
    async sync(call: SlidingSyncCall): Promise<string> {
      const { reader, place, caller } = call;
      if (place) place.since = await arriveAt(bus, place.since);
      if (call.timeoutMs === 0) await bus.caughtUp();
      const user = await parts.views.acquire(reader.userNid, reader.userId);
      try {
        const syncing = await begin(call, user);
        const untilMs = Date.now() + call.timeoutMs;
        for (let canWait = place !== null; ;) {
          const upto = positionOf(bus);
          // oxlint-disable-next-line no-await-in-loop
          const answer = await build(syncing, upto, canWait);
          if (answer !== null) return answer;
          const isBehind = bus.position() > upto.durable;
          // oxlint-disable-next-line no-await-in-loop
          canWait = isBehind || (await waitForNews(syncing, untilMs, caller));
        }
      } finally {
        parts.views.release(user);
      }
    },
  };
}

export type SlidingSync = ReturnType<typeof createSlidingSync>;

const keyOf = ({ reader, request }: SlidingSyncCall) => ({
  userNid: reader.userNid,
  deviceNid: reader.deviceNid ?? 0,
  connId: request.connId,
});

const eventIdsOf = ({ events }: RoomPlan) => new Set(events!.map((event) => event.eventId));

/** Whether a room has anything to be sent. */
const isNews = ({ one, state }: RoomAnswer) =>
  one.sent === null ||
  one.isExpanded ||
  one.plan.events!.length > 0 ||
  one.plan.isLimited ||
  (state?.events.length ?? 0) > 0;

/** Rooms in view are sent as far as there is anything, with what was asked of them. */
function noteSent(
  draft: StateDraft,
  view: RoomsInView,
  plans: readonly SlidingPlan[],
  { states, rooms }: { states: ReadonlyMap<number, RoomState>; rooms: UserView['rooms'] },
): void {
  const planned = new Map(plans.map((one) => [one.plan.room.roomNid, one]));
  for (const [roomNid, wish] of view.wishes) {
    const known = draft.rooms.get(roomNid);
    const one = planned.get(roomNid);
    const uptoPos = shownUpto(rooms.get(roomNid)!);
    if (!one && known) {
      if (known.uptoPos !== uptoPos) draft.set(roomNid, { ...known, uptoPos });
      continue;
    }
    const before = one?.sent ?? null;
    draft.set(roomNid, {
      uptoPos,
      timelineLimit: Math.max(before?.timelineLimit ?? 0, wish.timelineLimit),
      signature: draft.signature(wish.requiredState.signature()),
      lazyMembers: states.get(roomNid)?.lazyMembers ?? before?.lazyMembers ?? [],
    });
  }
}
