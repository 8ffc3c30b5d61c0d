import type { Clock } from '../kernel/clock.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { contentOf, eventStream, type EventRow, type StoredEvent } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { JudgedRooms } from './judged-rooms.ts';
import type { Notification, NotificationStore } from './store/notifications.ts';

/** Whose events are judged by whom, and how far that has come. */
export interface JudgedUsers {
  /** Position per held shard up to which its users' events are judged. */
  readonly shards: ReadonlyMap<number, number>;
  /** The user's shard; undefined: no pusher here. */
  shardOf(userNid: number): number | undefined;
  /** Nobody here has a pusher. */
  isEmpty(): boolean;
  /** Users whose pushers are new, with the positions from which they are judged. */
  readonly starts: ReadonlyMap<number, number>;
  /** Everything up to a position is judged: for the shards, and for users who begin before it. */
  judged(shards: readonly number[], pos: number): void;
}

export interface JudgingNeeds {
  bus: Bus;
  clock: Clock;
  rooms: JudgedRooms;
  store: Pick<NotificationStore, 'keep' | 'eventsAfter'>;
}

/** Judges each new event once for all users with pushers in the held shards. */
export interface Judging {
  /** Judges what there is. Gives the users who have notifications. */
  run(users: JudgedUsers): Promise<Set<number>>;
}

/** Live events that wait in memory; beyond it they are read from the database. */
const bufferedMax = 2_000;
const readAtOnce = 500;
/** The position is written down at least this often, also when there is nothing to tell. */
const positionsUnwrittenMax = 5_000;
/** Older events are not pushed: whoever is told of them has long been awake. */
const eventMsMax = 24 * 60 * 60 * 1000;

function threadOf(content: JsonObject): string | null {
  const relation = content['m.relates_to'];
  if (typeof relation !== 'object' || relation === null || Array.isArray(relation)) return null;
  const { rel_type: type, event_id: root } = relation;
  return type === 'm.thread' && typeof root === 'string' ? root : null;
}

export function createJudging({ bus, clock, rooms, store }: JudgingNeeds): Judging {
  let buffer: StoredEvent[] = [];
  /** Every event after it is in the buffer. */
  let bufferedFrom = bus.position();
  let writtenPos = 0;

  bus.subscribe(eventStream, (rows: readonly { row: EventRow }[]) => {
    for (const { row } of rows) buffer.push(row.event);
    if (buffer.length > bufferedMax) {
      bufferedFrom = buffer.at(-1)!.pos!;
      buffer = [];
    }
  });

  /** The next events; `uptoPos`: how far they reach. */
  async function next(afterPos: number, lastPos: number) {
    if (afterPos >= bufferedFrom) {
      const events = buffer.filter(({ pos }) => pos! > afterPos && pos! <= lastPos);
      return { events, uptoPos: lastPos };
    }
    const events = await store.eventsAfter(afterPos, lastPos, readAtOnce);
    return { events, uptoPos: events.length < readAtOnce ? lastPos : events.at(-1)!.pos! };
  }

  async function judge(events: readonly StoredEvent[], users: JudgedUsers) {
    const oldestTs = clock.now() - eventMsMax;
    const young = events.filter((event) => event.originServerTs >= oldestTs);
    const byNid = await rooms.of(
      young.map((event) => event.roomNid),
      [...users.shards.keys()],
    );
    const found: Notification[] = [];
    for (const event of young) {
      const { roomNid, eventNid } = event;
      const pos = event.pos!;
      for (const { userNid, actions } of byNid.get(roomNid)?.judge(event) ?? []) {
        const shard = users.shardOf(userNid);
        if (shard === undefined) continue;
        const fromPos = users.starts.get(userNid) ?? users.shards.get(shard) ?? Infinity;
        if (pos <= fromPos) continue;
        const threadId = threadOf(contentOf(event));
        const text = JSON.stringify(actions);
        found.push({ userNid, pos, roomNid, eventNid, threadId, actions: text });
      }
    }
    // As they are while this was judged: another process goes on for those given away meanwhile.
    return { found, shards: [...users.shards.keys()] };
  }

  return {
    async run(users) {
      const told = new Set<number>();
      const lastPos = bus.position();
      const froms = [...users.shards.values(), ...users.starts.values()];
      let pos = Math.min(lastPos, ...froms);
      while (pos < lastPos) {
        const starts = [...users.starts];
        if (users.isEmpty()) {
          users.judged([...users.shards.keys()], lastPos);
          break;
        }
        // oxlint-disable-next-line no-await-in-loop
        const { events, uptoPos } = await next(pos, lastPos);
        // oxlint-disable-next-line no-await-in-loop
        const { found, shards } = await judge(events, users);
        const newUserNids = starts.flatMap(([nid, fromPos]) =>
          fromPos <= uptoPos && uptoPos >= (users.shards.get(users.shardOf(nid) ?? -1) ?? 0)
            ? [nid]
            : [],
        );
        const isDue = uptoPos - writtenPos >= positionsUnwrittenMax;
        if (found.length > 0 || newUserNids.length > 0 || isDue) {
          const done = { shards, pos: uptoPos, newUserNids, ts: clock.now() };
          // oxlint-disable-next-line no-await-in-loop
          await store.keep(found, done);
          writtenPos = uptoPos;
        }
        users.judged(shards, uptoPos);
        for (const { userNid } of found) told.add(userNid);
        pos = uptoPos;
      }
      buffer = buffer.filter((event) => event.pos! > lastPos);
      bufferedFrom = Math.max(bufferedFrom, lastPos);
      return told;
    },
  };
}
