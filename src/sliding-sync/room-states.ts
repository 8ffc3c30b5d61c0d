import { contentOf, type StoredEvent } from '../rooms/module.ts';
import { lazyMembersMax } from './connection.ts';
import type { SlidingPlan } from './room-plans.ts';
import type { RoomStore, StatesWanted } from './store/rooms.ts';

const memberType = 'm.room.member';
const nameType = 'm.room.name';
const avatarType = 'm.room.avatar';

/** The required state of a room, and the members that come along because they are in the timeline. */
export interface RoomState {
  events: StoredEvent[];
  /** Of a room that was left, what it was called then; null: it is called as it is now. */
  left: { name: string | null; avatar: string | null } | null;
  /** Numbers of members that were sent, those of earlier answers included. */
  lazyMembers: readonly number[];
}

export interface MemberNames {
  userId(userNid: number): string | Promise<string>;
  /** Undefined: not in memory. */
  cachedUser(userId: string): number | undefined;
}

/** Who appears in a timeline: senders, and whose membership changes. */
function membersIn(events: readonly StoredEvent[]): Set<string> {
  const members = new Set(events.map((event) => event.sender));
  for (const { type, stateKey } of events) if (type === memberType) members.add(stateKey!);
  return members;
}

interface Lazy {
  /** All whose member events are wanted. */
  all: ReadonlySet<string>;
  /** Those who have not been sent yet. */
  fresh: readonly string[];
}

const nobody: Lazy = { all: new Set(), fresh: [] };

async function lazyOf({ plan, wish, sent }: SlidingPlan, names: MemberNames): Promise<Lazy> {
  if (!wish.requiredState.isLazy) return nobody;
  const members = membersIn(plan.events!);
  const known = await Promise.all((sent?.lazyMembers ?? []).map(async (nid) => names.userId(nid)));
  const knownIds = new Set(known);
  const fresh = [...members].filter((userId) => !knownIds.has(userId));
  return { all: knownIds.union(members), fresh };
}

/** Whether a room is shown as it was when the user was made to leave. */
const isNewlyShownLeft = ({ plan, sent }: SlidingPlan) =>
  plan.section === 'leave' && sent === null && !plan.isStateHidden;

/** Adds to what the database is asked for; nothing where the timeline has every change. */
function want(one: SlidingPlan, { all, fresh }: Lazy, wanted: StatesWanted): void {
  const { plan, wish, sent } = one;
  const { roomNid } = plan.room;
  const atPos = plan.uptoPos;
  const { requiredState } = wish;
  const isWhole = sent === null || one.isRestated;
  const isCovered = !isWhole && !plan.isLimited && !plan.hasForks && !one.isExpanded;
  const span = { roomNid, atPos, afterPos: isWhole ? -1 : one.fromPos };
  const member = (userId: string, afterPos: number) =>
    wanted.entries.push({ roomNid, atPos, afterPos, type: memberType, stateKey: userId });
  for (const userId of fresh) member(userId, -1);
  if (isCovered) return;
  if (requiredState.isAnyType) {
    wanted.all.push({ ...span, members: !requiredState.isLazy });
  } else {
    for (const type of requiredState.wholeTypes()) wanted.types.push({ ...span, type });
  }
  for (const [type, stateKey] of requiredState.entries()) {
    wanted.entries.push({ ...span, type, stateKey });
  }
  if (requiredState.isAnyType) {
    for (const type of requiredState.wholeTypes()) {
      if (type === memberType) wanted.types.push({ ...span, type });
    }
  }
  if (isNewlyShownLeft(one)) {
    for (const type of [nameType, avatarType]) wanted.entries.push({ ...span, type, stateKey: '' });
  }
  const freshIds = new Set(fresh);
  for (const userId of all) if (!freshIds.has(userId)) member(userId, span.afterPos);
}

/** State events of a timeline, the newest of each entry. What forks led to is for the database to say. */
function changesIn(events: readonly StoredEvent[]): Map<string, StoredEvent> {
  const changes = new Map<string, StoredEvent>();
  for (const event of events) {
    if (event.stateKey !== null && !event.isForked)
      changes.set(`${event.type}\n${event.stateKey}`, event);
  }
  return changes;
}

function leftAs(one: SlidingPlan, found: ReadonlyMap<string, StoredEvent>): RoomState['left'] {
  if (!isNewlyShownLeft(one)) return null;
  const text = (type: string, key: string) => {
    const event = found.get(`${type}\n`);
    const value = event && contentOf(event)[key];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  return { name: text(nameType, 'name'), avatar: text(avatarType, 'url') };
}

/** The required state of joined rooms, in no more than one query. */
export async function loadRoomStates(
  plans: readonly SlidingPlan[],
  store: RoomStore,
  names: MemberNames,
): Promise<Map<number, RoomState>> {
  const wanted: StatesWanted = { entries: [], types: [], all: [] };
  const lazies = new Map<SlidingPlan, Lazy>();
  for (const one of plans) {
    // Names are in memory but for the first time.
    // oxlint-disable-next-line no-await-in-loop
    const lazy = await lazyOf(one, names);
    lazies.set(one, lazy);
    want(one, lazy, wanted);
  }
  const isAsking = wanted.entries.length + wanted.types.length + wanted.all.length > 0;
  const rows = isAsking ? await store.states(wanted) : [];
  const byRoom = Map.groupBy(rows, (event): number => event.roomNid);
  const states = new Map<number, RoomState>();
  for (const one of plans) {
    const { roomNid } = one.plan.room;
    const { all } = lazies.get(one)!;
    const found = changesIn(one.sent === null ? [] : one.plan.events!);
    for (const event of byRoom.get(roomNid) ?? []) {
      found.set(`${event.type}\n${event.stateKey}`, event);
    }
    const events = [...found.values()].filter((event) => one.wish.requiredState.wants(event, all));
    const nids = [...all].flatMap((userId) => names.cachedUser(userId) ?? []);
    states.set(roomNid, {
      events,
      left: leftAs(one, found),
      lazyMembers: nids.slice(-lazyMembersMax).toSorted((a, b) => a - b),
    });
  }
  return states;
}
