import type { Requester } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { verdictOf } from '../matrix/push-rules/verdict.ts';
import { clientEventJson, isExpired, type Retention } from '../rooms/module.ts';
import type { ThreadSubscriptions } from '../thread-subscriptions/module.ts';
import { JudgedRoom, type UserRules } from './judged-room.ts';
import type { NotificationStore } from './store/notifications.ts';
import type { PushRoomStore } from './store/rooms.ts';

export interface HistoryNeeds {
  clock: Clock;
  notifications: Pick<NotificationStore, 'eventsBefore'>;
  rooms: Pick<PushRoomStore, 'rooms' | 'self'>;
  rulesOf(userNid: number): Promise<UserRules>;
  retention: Retention;
  threadSubscriptions: Pick<ThreadSubscriptions, 'inRooms'> | null;
}

export interface HistoryWish {
  beforePos: number;
  limit: number;
  onlyHighlights: boolean;
}

/** What a user has been notified of: judged again by the rules as they are, so nothing is kept. */
export interface NotificationHistory {
  /** JSON texts, newest first. `nextPos`: where to go on; null: there is no more. */
  page(
    user: Pick<Requester, 'userNid' | 'userId' | 'deviceNid'>,
    wish: HistoryWish,
  ): Promise<{ notifications: string[]; nextPos: number | null }>;
}

/** Events read at a time, and how often: a page may be shorter than asked for, and go on. */
const eventsAtOnce = 300;
const readsMax = 10;

export function createNotificationHistory(needs: HistoryNeeds): NotificationHistory {
  const { clock, notifications, rooms, threadSubscriptions } = needs;
  return {
    async page(user, { beforePos, limit, onlyHighlights }) {
      const { userNid, deviceNid } = user;
      const own = await needs.rulesOf(userNid);
      const judged = new Map<number, JudgedRoom>();
      const now = clock.now();

      async function load(roomNids: number[]): Promise<void> {
        const missing = roomNids.filter((nid) => !judged.has(nid));
        if (missing.length === 0) return;
        const [found, self, subscriptions] = await Promise.all([
          rooms.rooms(missing),
          rooms.self(missing, userNid),
          threadSubscriptions?.inRooms(userNid, missing) ?? null,
        ]);
        const threads = subscriptions && Map.groupBy(subscriptions, ({ roomNid }) => roomNid);
        for (const row of found) judged.set(row.roomNid, new JudgedRoom(row, threads !== null));
        for (const row of self) {
          judged.get(row.roomNid)?.add(row, own, threads?.get(row.roomNid) ?? []);
        }
      }

      const texts: string[] = [];
      let pos = beforePos;
      for (let reads = 0; reads < readsMax; reads++) {
        // oxlint-disable-next-line no-await-in-loop
        const events = await notifications.eventsBefore(userNid, pos, eventsAtOnce);
        const roomNids = [...new Set(events.map((event) => event.roomNid))];
        // oxlint-disable-next-line no-await-in-loop
        const [since] = await Promise.all([needs.retention.shownSince(roomNids), load(roomNids)]);
        for (const event of events) {
          pos = event.pos!;
          if (isExpired(event, since.get(event.roomNid) ?? 0)) continue;
          const [verdict] = judged.get(event.roomNid)?.judge(event) ?? [];
          if (!verdict || (onlyHighlights && !verdictOf(verdict.actions).highlight)) continue;
          const json = clientEventJson(event, { now, deviceNid, senderNid: userNid });
          const { actions } = verdict;
          const facts = {
            actions,
            read: event.isRead,
            room_id: event.roomId,
            ts: event.originServerTs,
          };
          texts.push(`{"event":${json},${JSON.stringify(facts).slice(1)}`);
          if (texts.length === limit) return { notifications: texts, nextPos: pos };
        }
        if (events.length < eventsAtOnce) return { notifications: texts, nextPos: null };
      }
      return { notifications: texts, nextPos: pos };
    },
  };
}
