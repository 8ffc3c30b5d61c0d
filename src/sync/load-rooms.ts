import {
  contentOf,
  redactedCopies,
  strayState,
  visibilityFor,
  type Envelope,
  type ErasedAmong,
  isExpired,
  type HistoryRow,
  type Retention,
  type StoredEvent,
  type TimelineMatch,
} from '../rooms/module.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { RoomEventFilter } from '../matrix/filters/event-filter.ts';
import type { LazyMembers } from './lazy-members.ts';
import type { RoomPlan } from './plan.ts';
import type { MemberWanted, RoomStateStore, StateWanted } from './store/room-states.ts';
import type { TimelineStore } from './store/timelines.ts';

/** How the rooms of an answer are to be filled in. */
export interface LoadOptions {
  user: { userNid: number; userId: string };
  timelineLimit: number;
  timelineFilter: RoomEventFilter;
  timelineMatch: TimelineMatch | null;
  stateFilter: RoomEventFilter;
  ignoredUsers: ReadonlySet<string>;
  /** The state at the end of the timeline instead of that before it (MSC4222). */
  stateAfter: boolean;
  fullState: boolean;
  /** The client has synced before. */
  isIncremental: boolean;
  /** Null: all members are sent. */
  lazyMembers: LazyMembers | null;
  /** Neither state nor summaries. */
  timelineOnly?: boolean;
  /** The rooms are looked into by somebody who is in none of them, and sees their state as well. */
  isPreview?: boolean;
}

/** Whether a filter asks for what is not seen in the events themselves. */
const needsDatabase = (match: TimelineMatch | null) =>
  match !== null && (match.relatedBySenders !== null || match.relatedByRelTypes !== null);

export interface RoomLoader {
  /** Timelines, states and summaries of all the rooms, in a constant number of round trips. */
  load(plans: readonly RoomPlan[], options: LoadOptions): Promise<void>;
  /** The rest of the events' PDUs, by event id. */
  envelopes(events: readonly StoredEvent[]): Promise<ReadonlyMap<string, Envelope>>;
  /** Numbers of joined members of the rooms, up to a bound. */
  memberNids(roomNids: number[]): Promise<number[]>;
  /** Corrects `joinedPos` where a profile change may pass for the join. */
  settleJoins(plans: readonly RoomPlan[], userId: string, since: number): Promise<void>;
}

type Histories = Map<number, HistoryRow[]>;

/** What the summary of a room is made of (client-server spec, `RoomSummary`). */
const summarisedTypes: ReadonlySet<string> = new Set([
  'm.room.member',
  'm.room.name',
  'm.room.canonical_alias',
]);

const distinct = (events: readonly StoredEvent[]): StoredEvent[] => [
  ...new Map(events.map((event) => [event.eventId, event])).values(),
];

/** Of several events of one state entry the newest. */
function newestEntries(events: readonly StoredEvent[]): StoredEvent[] {
  const newest = new Map<string, StoredEvent>();
  for (const event of events) {
    const key = `${event.type}\n${event.stateKey}`;
    const known = newest.get(key);
    if (!known || known.pos! < event.pos!) newest.set(key, event);
  }
  return [...newest.values()];
}

/**
 * Whether an event came from another server on a fork: where it stands in the timeline does not say that
 * its state follows what is before it, so a client that is told a whole state finds it there as well.
 */
const isMerged = (plan: RoomPlan, { isForked, sender }: StoredEvent, ownName: string): boolean =>
  plan.isNew && isForked && serverNameOf(sender) !== ownName;

export function createRoomLoader(
  timelines: TimelineStore,
  states: RoomStateStore,
  erasedAmong: ErasedAmong,
  retention: Retention = { shownSince: () => new Map() },
): RoomLoader {
  async function loadHistories(roomNids: number[], userId: string): Promise<Histories> {
    const histories: Histories = new Map(roomNids.map((nid) => [nid, []]));
    if (roomNids.length === 0) return histories;
    const rows = await timelines.histories(roomNids, userId);
    for (const row of rows) histories.get(row.roomNid)!.push(row);
    return histories;
  }

  async function loadTimelines(plans: readonly RoomPlan[], options: LoadOptions): Promise<void> {
    const isAsked = needsDatabase(options.timelineMatch);
    const missing = plans.filter((plan) => plan.events === null || isAsked);
    if (missing.length === 0) return;
    const ranges = missing.map(({ room, afterPos, uptoPos }) => ({
      roomNid: room.roomNid,
      afterPos,
      uptoPos,
    }));
    const byRoom = new Map<number, StoredEvent[]>(missing.map(({ room }) => [room.roomNid, []]));
    const limit = options.timelineLimit + 1;
    const rows = await timelines.timelines(ranges, limit, options.timelineMatch);
    for (const event of rows) byRoom.get(event.roomNid)!.push(event);
    for (const plan of missing) {
      const events = byRoom.get(plan.room.roomNid)!;
      plan.events = events;
      if (options.timelineMatch) plan.isSummaryDoubtful = true;
      if (options.timelineMatch || !plan.room.view) continue;
      // What was read fills the room's memory for the next reader.
      const isAll = events.length < limit;
      // History that was fetched later has the position of what comes after it, and may go on.
      const first = isAll ? null : events[0]!;
      const startIn = ({ isForked, pos }: StoredEvent) => (isForked ? pos! : pos! - 1);
      const start = first ? startIn(first) : Math.max(plan.afterPos, 0);
      if (events.at(-1)?.pos === plan.room.view.lastEventPos || plan.room.view.lastEventPos === 0) {
        plan.room.view.prepend(events, start);
      }
    }
  }

  /** Leaves out what the user may not or does not want to see, and cuts to the limit. */
  function cut(
    plan: RoomPlan,
    options: LoadOptions,
    history: HistoryRow[] | undefined,
    sinceTs: number | undefined,
  ): void {
    const { timelineLimit, timelineFilter, ignoredUsers, user } = options;
    const all = plan.events!;
    // What comes before a gap is not told with what comes after it.
    const gapAt = all.findLastIndex((event) => event.isAfterGap);
    let events = gapAt > 0 ? all.slice(gapAt) : all;
    plan.hasForks = events.some((event) => event.isForked);
    plan.isSummaryDoubtful ||= events.some((event) => summarisedTypes.has(event.type));
    if (!timelineFilter.admitsRoom(plan.room.roomId)) events = [];
    else if (!timelineFilter.matchesAll) {
      events = events.filter((event) =>
        timelineFilter.admits(event.type, event.sender, () => contentOf(event)),
      );
    }
    if (ignoredUsers.size > 0) {
      events = events.filter((event) => event.stateKey !== null || !ignoredUsers.has(event.sender));
    }
    if (sinceTs !== undefined) events = events.filter((event) => !isExpired(event, sinceTs));
    // To a client that was there before, a room it has come to has a gap before it.
    const isEntered = plan.isNew && plan.section === 'join' && options.isIncremental;
    const hasGap = gapAt >= 0 || isEntered;
    plan.isLimited = events.length > timelineLimit || hasGap;
    if (events.length > timelineLimit) {
      events = timelineLimit === 0 ? [] : events.slice(-timelineLimit);
    }
    if (history) {
      const visibility = visibilityFor(user.userId, history);
      plan.membershipAt = visibility.membershipAt;
      const first = events.findIndex((event) => visibility.allows(event));
      const visible = events.filter((event) => visibility.allows(event));
      if (visible.length < events.length && first !== 0) plan.isLimited = true;
      events = visible;
    }
    plan.events = events;
  }

  async function hideErased(plans: readonly RoomPlan[]): Promise<void> {
    const partly = plans.filter((plan) => plan.membershipAt !== null);
    if (partly.length === 0) return;
    const pages = partly.map(({ events, room, membershipAt }) => ({
      events: events!,
      roomVersion: room.roomVersion,
      membershipAt: membershipAt!,
    }));
    const copies = await redactedCopies(erasedAmong, pages);
    if (copies.size === 0) return;
    for (const plan of partly) plan.events = plan.events!.map((one) => copies.get(one) ?? one);
  }

  /** The position before which the client does not see the timeline. */
  const startOf = (plan: RoomPlan) => {
    const first = plan.events![0];
    return first ? first.pos! - 1 : plan.uptoPos;
  };

  /** Whether the timeline may lack events of its own stretch. */
  const isThinned = ({ room }: RoomPlan, { timelineFilter }: LoadOptions) =>
    !timelineFilter.matchesAll || !timelineFilter.admitsRoom(room.roomId);

  function wantState(plan: RoomPlan, options: LoadOptions): StateWanted[] {
    const { stateFilter, stateAfter } = options;
    const { roomNid, roomId } = plan.room;
    if (!stateFilter.admitsRoom(roomId)) return [];
    const whole = plan.isNew || options.fullState;
    const isThin = isThinned(plan, options);
    if (!whole && !plan.isLimited && !plan.hasForks && !isThin) {
      // Every change of the state is an event of the timeline.
      if (!stateAfter || plan.events!.every((event) => event.stateKey === null)) return [];
    }
    // Members who have come, gone or changed where the client does not see it are always told.
    const rest = { roomNid, skipsMembers: whole };
    const afterPos = whole ? -1 : plan.afterPos;
    const atEnd = { ...rest, atPos: plan.uptoPos, afterPos };
    if (stateAfter || plan.hasForks) return [atEnd];
    const startPos = startOf(plan);
    const atStart = { ...rest, atPos: startPos, afterPos };
    // What is left out of the timeline is told beside it.
    return isThin ? [atStart, { ...atEnd, afterPos: Math.max(startPos, afterPos) }] : [atStart];
  }

  function membersWanted(plan: RoomPlan, lazy: LazyMembers, options: LoadOptions): MemberWanted[] {
    const { roomNid, roomId } = plan.room;
    if (!options.stateFilter.admitsRoom(roomId)) return [];
    const users = new Set(plan.events!.map((event) => event.sender));
    if (plan.isNew || options.fullState) users.add(options.user.userId);
    for (const hero of plan.summary?.heroes ?? []) users.add(hero);
    const isThin = isThinned(plan, options);
    const atPos = options.stateAfter || isThin ? plan.uptoPos : startOf(plan);
    return lazy.unsent(roomNid, users, plan.isNew).map((userId) => ({ roomNid, userId, atPos }));
  }

  async function loadStates(plans: readonly RoomPlan[], options: LoadOptions): Promise<void> {
    const byRoom = new Map(plans.map((plan) => [plan.room.roomNid, plan]));
    const wanted = plans.flatMap((plan) => plan.stateWanted);
    const { lazyMembers: lazy } = options;
    const members = lazy ? plans.flatMap((plan) => membersWanted(plan, lazy, options)) : [];
    if (wanted.length === 0 && members.length === 0) return;
    const rows = lazy ? await states.statesLazily(wanted, members) : await states.states(wanted);
    for (const event of rows) {
      const plan = byRoom.get(event.roomNid)!;
      const { stateFilter } = options;
      const isWanted =
        stateFilter.matchesAll ||
        stateFilter.admits(event.type, event.sender, () => contentOf(event));
      if (isWanted) plan.state.push(event);
    }
    for (const plan of plans) {
      if (options.lazyMembers) plan.state = distinct(plan.state);
      if (options.stateAfter || plan.state.length === 0) continue;
      const ownName = serverNameOf(options.user.userId);
      const told = plan.events!.filter((event) => !isMerged(plan, event, ownName));
      const inTimeline = new Set(told.map((event) => event.eventId));
      plan.state = plan.state.filter((event) => !inTimeline.has(event.eventId));
      // A stretch of its own tells what the timeline leaves out.
      if (plan.stateWanted.length > 1) plan.state = newestEntries(plan.state);
    }
  }

  async function loadSummaries(plans: readonly RoomPlan[], options: LoadOptions): Promise<void> {
    const concerned = plans.filter(
      (plan) => plan.section === 'join' && (plan.isNew || plan.isLimited || plan.isSummaryDoubtful),
    );
    if (concerned.length === 0) return;
    const nids = concerned.map((plan) => plan.room.roomNid);
    const rows = await states.summaries(nids, options.user.userNid);
    const byRoom = new Map(rows.map((row) => [row.roomNid, row]));
    for (const plan of concerned) plan.summary = byRoom.get(plan.room.roomNid) ?? null;
  }

  async function loadStripped(plans: readonly RoomPlan[], options: LoadOptions): Promise<void> {
    if (plans.length === 0) return;
    const rooms = plans.map(({ room }) => ({ roomNid: room.roomNid, pos: room.pos }));
    const rows = await states.stripped(rooms, options.user);
    const byRoom = new Map(plans.map((plan) => [plan.room.roomNid, plan]));
    for (const event of rows) {
      const plan = byRoom.get(event.roomNid)!;
      const stray = strayState(event);
      if (stray) plan.state = [...stray, event];
      else if (!plan.state.some((known) => known.eventId === event.eventId)) plan.state.push(event);
    }
  }

  return {
    async load(plans, options) {
      const shown = plans.filter(({ section }) => section === 'join' || section === 'leave');
      const stripped = plans.filter(({ section }) => section === 'invite' || section === 'knock');
      // Rooms of which the user may not see all that the timeline brings.
      const partly = shown.filter((plan) => plan.isNew || plan.section === 'leave');
      const [histories, since] = await Promise.all([
        loadHistories(
          partly.map((plan) => plan.room.roomNid),
          options.user.userId,
        ),
        retention.shownSince(shown.map((plan) => plan.room.roomNid)),
        loadTimelines(shown, options),
        loadStripped(stripped, options),
      ]);
      for (const plan of shown) {
        const history = histories.get(plan.room.roomNid);
        cut(plan, options, history, since.get(plan.room.roomNid));
        plan.isStateHidden =
          !options.isPreview &&
          plan.section === 'leave' &&
          history !== undefined &&
          visibilityFor(options.user.userId, history).lastJoinedPos < 0;
        plan.stateWanted = plan.isStateHidden ? [] : wantState(plan, options);
      }
      await hideErased(shown);
      if (options.timelineOnly) return;
      if (options.lazyMembers) await loadSummaries(shown, options);
      await Promise.all([
        loadStates(shown, options),
        options.lazyMembers ? null : loadSummaries(shown, options),
      ]);
    },
    async envelopes(events) {
      if (events.length === 0) return new Map();
      return new Map((await timelines.envelopes(events)).map((row) => [row.eventId, row]));
    },
    memberNids: (roomNids) => states.memberNids(roomNids),
    async settleJoins(plans, userId, since) {
      const doubtful = plans.filter(
        ({ room }) => !room.isJoinedPosExact && room.joinedPos > since && room.view !== null,
      );
      if (doubtful.length === 0) return;
      const nids = doubtful.map(({ room }) => room.roomNid);
      const histories = await loadHistories(nids, userId);
      for (const plan of doubtful) {
        const { room } = plan;
        for (const span of histories.get(room.roomNid)!.toReversed()) {
          if (!span.isMember || span.content === null || span.sub !== null) continue;
          const content = JSON.parse(span.content) as { membership?: unknown };
          if (content.membership !== 'join') break;
          room.joinedPos = span.fromPos;
        }
        room.isJoinedPosExact = true;
        if (room.joinedPos > since) continue;
        plan.isNew = false;
        plan.afterPos = since;
        plan.events = room.view!.eventsAfter(since);
      }
    },
  };
}
