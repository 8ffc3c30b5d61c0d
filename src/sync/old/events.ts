import type { Caller } from '../../http/endpoint.ts';
import { clientEventJson, type StoredEvent } from '../../rooms/module.ts';
import { positionOf } from '../../streams/bus.ts';
import { formatPosition, type StreamPosition } from '../../streams/position.ts';
import type { SyncReader } from '../engine.ts';
import type { TimelineStore } from '../store/timelines.ts';
import type { UserView } from '../views/user-view.ts';
import { waitForNews } from '../wait.ts';
import type { OldSyncNeeds } from './initial-sync.ts';

export interface EventsRequest {
  reader: SyncReader;
  /** Null: from now on. */
  from: StreamPosition | null;
  timeoutMs: number;
  caller: Caller;
}

/** Events of one room in an answer; older ones are skipped. */
const eventsPerRoomMax = 100;

/**
 * The event stream of before `/sync`: new events of all joined rooms in one list.
 * Source: client-server spec, `GET /events`.
 */
export function createOldEvents(needs: OldSyncNeeds, timelines: TimelineStore) {
  const { bus, views, clock } = needs;

  async function newEvents(user: UserView, from: StreamPosition, upto: StreamPosition) {
    const found: { roomId: string; event: StoredEvent }[] = [];
    const missing: { roomNid: number; afterPos: number; uptoPos: number }[] = [];
    for (const { view, roomNid, roomId, pos } of user.rooms.values()) {
      const events = view ? view.eventsAfter(from.durable) : pos > from.durable ? null : [];
      const uptoPos = view ? upto.durable : pos;
      if (events === null) missing.push({ roomNid, afterPos: from.durable, uptoPos });
      else for (const event of events) found.push({ roomId, event });
    }
    if (missing.length > 0) {
      for (const event of await timelines.timelines(missing, eventsPerRoomMax, null)) {
        found.push({ roomId: user.rooms.get(event.roomNid)!.roomId, event });
      }
    }
    return found.toSorted((a, b) => a.event.pos! - b.event.pos!);
  }

  function typingJson(user: UserView, from: StreamPosition): string[] {
    const texts: string[] = [];
    for (const { view, roomId, roomNid } of user.rooms.values()) {
      if (!view || view.typingPos <= from.ephemeral) continue;
      const userIds = JSON.stringify(needs.sources.typing.usersIn(roomNid));
      texts.push(
        `{"type":"m.typing","room_id":${JSON.stringify(roomId)},"content":{"user_ids":${userIds}}}`,
      );
    }
    return texts;
  }

  return async function events(request: EventsRequest): Promise<string> {
    const { reader, caller } = request;
    if (request.timeoutMs === 0) await bus.caughtUp();
    const user = await views.acquire(reader.userNid, reader.userId);
    try {
      const untilMs = Date.now() + request.timeoutMs;
      const from = request.from ?? positionOf(bus);
      for (;;) {
        const upto = positionOf(bus);
        // oxlint-disable-next-line no-await-in-loop
        const found = await newEvents(user, from, upto);
        const texts = found.map(({ roomId, event }) =>
          clientEventJson(event, {
            roomId,
            now: clock.now(),
            senderNid: reader.userNid,
            deviceNid: reader.deviceNid,
          }),
        );
        texts.push(...typingJson(user, from));
        const isBehind = bus.position() > upto.durable;
        if (
          texts.length > 0 ||
          // oxlint-disable-next-line no-await-in-loop
          (!isBehind && !(await waitForNews({ user, device: null }, untilMs, caller)))
        ) {
          return `{"start":"${formatPosition(from)}","end":"${formatPosition(upto)}","chunk":[${texts.join(',')}]}`;
        }
      }
    } finally {
      views.release(user);
    }
  };
}

export type OldEvents = ReturnType<typeof createOldEvents>;
