import { boundedCache } from '../kernel/bounded-cache.ts';
import { accountDataStream } from '../account-data/module.ts';
import type { Queryable } from '../database/database.ts';
import { RulesetClasses } from '../matrix/push-rules/classes.ts';
import {
  threadSubscriptionStream,
  type ThreadSubscriptions,
} from '../thread-subscriptions/module.ts';
import type { RuleDifferences, RuleFeatures } from '../matrix/push-rules/rule.ts';
import { receiptStream, type Receipt, type Receipts } from '../receipts/module.ts';
import { eventStream, purgedHistoryStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { Reading, type UnreadCount } from './reading.ts';
import { RoomWatch } from './room-watch.ts';
import { createUnreadStore, type RoomFactsRow } from './store/unread.ts';

export type { UnreadCount } from './reading.ts';

export interface UnreadNeeds {
  /** Gives events with their names: `withEventNames`. */
  events: Queryable;
  bus: Bus;
  receipts: Pick<Receipts, 'own'>;
  /** Null: users do not subscribe to threads. */
  threadSubscriptions: Pick<ThreadSubscriptions, 'inRooms'> | null;
  ruleFeatures?: RuleFeatures;
  pushRules(userNid: number): Promise<RuleDifferences> | RuleDifferences;
  ignoredUsers(userNid: number): Promise<ReadonlySet<string>> | ReadonlySet<string>;
}

export interface RoomUnread {
  main: UnreadCount;
  threads: Map<string, UnreadCount>;
}

/** What users have not read, by their push rules. */
export interface Unread {
  /** Unread counts of a user in rooms. Without a query when the user has asked before. */
  counts(
    user: { userNid: number; userId: string },
    roomNids: readonly number[],
  ): Promise<Map<number, RoomUnread>>;
}

/** Account data that says what counts. */
const countingTypes: ReadonlySet<string> = new Set(['m.push_rules', 'm.ignored_user_list']);
/** Pairs of user and room kept in memory. */
const readingsMax = 200_000;
/** Unread events of a room that are looked at; beyond it the count stays where it is. */
const eventsMax = 1_000;
/** Tries to read a room that changes meanwhile. */
const attemptsMax = 5;

/**
 * Counts are kept in memory for users who sync and moved on by the event stream: an event is
 * judged once per class of users with the same rules, whatever the number of members.
 */
export function createUnread(needs: UnreadNeeds): Unread {
  const { bus, threadSubscriptions } = needs;
  const store = createUnreadStore(needs.events);
  const classes = new RulesetClasses(needs.ruleFeatures);
  const watches = new Map<number, RoomWatch>();
  /** Rooms being read, by how many, and how often something has happened there since. */
  const loading = new Map<number, { changes: number; users: number }>();
  /** Changes of what counts for whomever. */
  let ruleChanges = 0;
  const readings = boundedCache<string, Reading>(readingsMax, {
    dispose(reading) {
      const watch = watches.get(reading.roomNid);
      if (watch?.readings.get(reading.userNid) !== reading) return;
      watch.remove(reading);
      if (watch.readings.size === 0) watches.delete(reading.roomNid);
    },
  });
  const roomsOfUser = (userNid: number) =>
    [...watches.values()].filter((watch) => watch.readings.has(userNid));
  const keyOf = (userNid: number, roomNid: number) => `${userNid} ${roomNid}`;

  function touch(roomNid: number): void {
    const load = loading.get(roomNid);
    if (load) load.changes++;
  }

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      const { roomNid } = row.event;
      touch(roomNid);
      const watch = watches.get(roomNid);
      if (watch && row.changed?.length) {
        // Which rules count it is for the state to say as it is now.
        for (const { userNid } of watch.readings.values()) {
          readings.delete(keyOf(userNid, roomNid));
        }
      } else watch?.onEvent(row);
      for (const { userNid } of (row.redacted && watch?.unreadBy(row.redacted)) ?? []) {
        readings.delete(keyOf(userNid, roomNid));
      }
      for (const { isLocal, userNid, to } of row.memberships) {
        if (isLocal && to !== 'join') readings.delete(keyOf(userNid, roomNid));
      }
    }
  });
  bus.subscribe(purgedHistoryStream, (rows) => {
    for (const { row } of rows) {
      touch(row.roomNid);
      for (const { userNid } of watches.get(row.roomNid)?.readings.values() ?? []) {
        readings.delete(keyOf(userNid, row.roomNid));
      }
    }
  });
  bus.subscribe(receiptStream, (rows) => {
    for (const { row } of rows) {
      touch(row.roomNid);
      const key = keyOf(row.userNid, row.roomNid);
      const reading = readings.peek(key);
      if (!reading) continue;
      const last = watches.get(row.roomNid)?.lastPos ?? Infinity;
      if (row.threadId === null && row.eventPos >= last && last > 0) reading.readAll(row.eventPos);
      else readings.delete(key);
    }
  });
  bus.subscribe(accountDataStream, (rows) => {
    for (const { row } of rows) {
      if (row.roomNid !== 0 || !countingTypes.has(row.type)) continue;
      ruleChanges++;
      for (const { roomNid } of roomsOfUser(row.userNid)) {
        readings.delete(keyOf(row.userNid, roomNid));
      }
    }
  });

  bus.subscribe(threadSubscriptionStream, (rows) => {
    for (const { row } of rows) {
      touch(row.roomNid);
      readings.delete(keyOf(row.userNid, row.roomNid));
    }
  });

  /** The rooms' changes so far; they are counted until `end`. */
  function begin(roomNids: readonly number[]): Map<number, number> {
    return new Map(
      roomNids.map((nid) => {
        const load = loading.get(nid) ?? { changes: 0, users: 0 };
        load.users++;
        loading.set(nid, load);
        return [nid, load.changes];
      }),
    );
  }

  /** Those of the rooms in which something happened while they were read. */
  function end(changesBefore: ReadonlyMap<number, number>): number[] {
    return [...changesBefore].flatMap(([nid, before]) => {
      const load = loading.get(nid)!;
      if (--load.users === 0) loading.delete(nid);
      return load.changes === before ? [] : [nid];
    });
  }

  async function read(user: { userNid: number; userId: string }, roomNids: number[]) {
    const [receipts, facts, differences, ignored, subscriptions] = await Promise.all([
      needs.receipts.own(user.userNid, roomNids),
      store.facts(roomNids, user.userId),
      needs.pushRules(user.userNid),
      needs.ignoredUsers(user.userNid),
      threadSubscriptions?.inRooms(user.userNid, roomNids) ?? [],
    ]);
    const byRoom = Map.groupBy(receipts, (receipt: Receipt) => receipt.roomNid);
    const threads = Map.groupBy(subscriptions, ({ roomNid }) => roomNid);
    const found = facts.map((fact) => ({
      fact,
      reading: new Reading(
        fact.roomNid,
        user,
        fact.joinedPos,
        byRoom.get(fact.roomNid) ?? [],
        ignored,
      ),
      threads: threads.get(fact.roomNid) ?? [],
    }));
    const since = found.map(({ reading }) => ({
      roomNid: reading.roomNid,
      afterPos: reading.readPos,
    }));
    const events = await store.events(since, user.userNid, eventsMax);
    // The database may be ahead of the stream, which would bring again what has been read.
    await bus.reached(facts.reduce((max, { lastPos }) => Math.max(max, lastPos), 0));
    return { found, events: Map.groupBy(events, (event) => event.roomNid), differences };
  }

  function keep(
    { found, events, differences }: Awaited<ReturnType<typeof read>>,
    isDirty: ReadonlySet<number>,
  ): void {
    const rules = classes.of(differences);
    for (const { fact, reading, threads } of found) {
      if (isDirty.has(fact.roomNid)) continue;
      const watch = watchOf(fact);
      watch.add(reading, fact.member, rules, threads);
      for (const event of events.get(fact.roomNid) ?? []) {
        watch.countFor(reading, event);
        watch.lastPos = Math.max(watch.lastPos, event.pos!);
      }
      readings.set(keyOf(reading.userNid, reading.roomNid), reading);
    }
  }

  function watchOf(fact: RoomFactsRow): RoomWatch {
    let watch = watches.get(fact.roomNid);
    if (!watch)
      watches.set(fact.roomNid, (watch = new RoomWatch(fact, threadSubscriptions !== null)));
    return watch;
  }

  return {
    async counts(user, roomNids) {
      let missing = roomNids.filter((nid) => !readings.has(keyOf(user.userNid, nid)));
      for (let tries = 1; missing.length > 0; tries++) {
        const changesBefore = begin(missing);
        const ruleChangesBefore = ruleChanges;
        let result;
        let dirty: number[];
        try {
          // oxlint-disable-next-line no-await-in-loop
          result = await read(user, missing);
        } finally {
          dirty = end(changesBefore);
        }
        if (ruleChangesBefore !== ruleChanges) dirty = missing;
        if (tries === attemptsMax) dirty = [];
        keep(result, new Set(dirty));
        missing = dirty;
      }
      const counts = new Map<number, RoomUnread>();
      for (const nid of roomNids) {
        const reading = readings.get(keyOf(user.userNid, nid));
        if (reading) counts.set(nid, { main: reading.main, threads: reading.threads });
      }
      return counts;
    },
  };
}
