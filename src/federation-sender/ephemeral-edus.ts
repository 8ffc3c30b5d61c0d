import type { Clock } from '../kernel/clock.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { Presence } from '../presence/module.ts';
import type { ReceiptRow } from '../receipts/module.ts';
import type { TypingRow } from '../typing/module.ts';

/** What is lost when a server is away: the newest of each, of which an older one is nothing worth. */
export interface EphemeralEdus {
  typing(serverName: string, row: TypingRow): void;
  /** `dueTs`: until when it may wait for others, milliseconds since 1970. */
  receipt(serverName: string, row: ReceiptRow, dueTs: number): void;
  presence(serverName: string, presence: Presence): void;
  /** Whether a receipt of the room waits for the server. */
  hasReceiptOf(serverName: string, roomId: string): boolean;
  /** When there is something to be sent, milliseconds since 1970; Infinity: there is nothing. */
  dueTs(serverName: string): number;
  /** Takes out at most `limit` EDUs; receipts before their time only along with something else. */
  take(serverName: string, limit: number, isAlone: boolean): JsonObject[];
  drop(serverName: string): void;
  /** What waits, for all servers. */
  count(): number;
}

interface Waiting {
  typing: Map<string, TypingRow>;
  receipts: Map<string, ReceiptRow>;
  receiptRooms: Set<string>;
  receiptsDueTs: number;
  presence: Map<string, Presence>;
}

/** Of each kind, for a server; of more the oldest are lost. */
const waitingMax = 500;
/** For all servers together; beyond it nothing new is taken in. */
const allWaitingMax = 200_000;
/** Users in one EDU. */
const presencePerEdu = 50;

const countOf = ({ typing, receipts, presence }: Waiting) =>
  typing.size + receipts.size + presence.size;

/** Puts in the newest, behind all others. */
function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > waitingMax) map.delete(map.keys().next().value!);
}

function typingEdu({ roomId, change }: TypingRow): JsonObject {
  const content = { room_id: roomId, user_id: change.userId, typing: change.isTyping };
  return { edu_type: 'm.typing', content };
}

function presenceEdu(users: readonly Presence[], now: number): JsonObject {
  const push = users.map((one) => {
    const ago = one.lastActiveTs === null ? null : Math.max(0, now - one.lastActiveTs);
    return {
      user_id: one.userId,
      presence: one.state,
      ...(ago === null ? {} : { last_active_ago: ago }),
      ...(one.statusMsg === null ? {} : { status_msg: one.statusMsg }),
      currently_active: one.isCurrentlyActive,
    };
  });
  return { edu_type: 'm.presence', content: { push } };
}

type ReceiptContent = Record<string, { 'm.read': Record<string, JsonObject> }>;

/** As few as may be: an EDU has one receipt of a user in a room, and users read in many threads. */
function receiptEdus(receipts: Iterable<ReceiptRow>): JsonObject[] {
  const contents: ReceiptContent[] = [];
  for (const { roomId, userId, eventId, ts, threadId } of receipts) {
    let content = contents.find((one) => one[roomId]?.['m.read'][userId] === undefined);
    if (!content) contents.push((content = {}));
    const data: JsonObject = threadId === null ? { ts } : { ts, thread_id: threadId };
    const room = (content[roomId] ??= { 'm.read': {} });
    room['m.read'][userId] = { data, event_ids: [eventId] };
  }
  return contents.map((content) => ({ edu_type: 'm.receipt', content }));
}

export function createEphemeralEdus(clock: Clock): EphemeralEdus {
  const byServer = new Map<string, Waiting>();
  let total = 0;

  function change(serverName: string, work: (waiting: Waiting) => void): void {
    let waiting = byServer.get(serverName);
    if (!waiting) {
      if (total >= allWaitingMax) return;
      waiting = {
        typing: new Map(),
        receipts: new Map(),
        receiptRooms: new Set(),
        receiptsDueTs: Infinity,
        presence: new Map(),
      };
      byServer.set(serverName, waiting);
    }
    const before = countOf(waiting);
    work(waiting);
    const after = countOf(waiting);
    total += after - before;
    if (after === 0) byServer.delete(serverName);
  }

  function takeReceipts(waiting: Waiting, limit: number): JsonObject[] {
    const edus = receiptEdus(waiting.receipts.values());
    if (edus.length > limit) return [];
    waiting.receipts.clear();
    waiting.receiptRooms.clear();
    waiting.receiptsDueTs = Infinity;
    return edus;
  }

  return {
    typing(serverName, row) {
      const key = `${row.roomNid} ${row.change.userId}`;
      change(serverName, ({ typing }) => put(typing, key, row));
    },
    receipt(serverName, row, dueTs) {
      const key = JSON.stringify([row.roomNid, row.userId, row.threadId]);
      change(serverName, (waiting) => {
        put(waiting.receipts, key, row);
        waiting.receiptRooms.add(row.roomId);
        waiting.receiptsDueTs = Math.min(waiting.receiptsDueTs, dueTs);
      });
    },
    presence(serverName, presence) {
      change(serverName, (waiting) => put(waiting.presence, presence.userId, presence));
    },
    hasReceiptOf: (serverName, roomId) =>
      byServer.get(serverName)?.receiptRooms.has(roomId) ?? false,
    dueTs(serverName) {
      const waiting = byServer.get(serverName);
      if (!waiting) return Infinity;
      return waiting.typing.size + waiting.presence.size > 0 ? 0 : waiting.receiptsDueTs;
    },
    take(serverName, limit, isAlone) {
      const edus: JsonObject[] = [];
      if (!byServer.has(serverName)) return edus;
      change(serverName, (waiting) => {
        const { typing, presence } = waiting;
        const isDue = !isAlone || typing.size + presence.size > 0;
        if (isDue || waiting.receiptsDueTs <= clock.now()) {
          edus.push(...takeReceipts(waiting, limit));
        }
        while (presence.size > 0 && edus.length < limit) {
          const some = [...presence.values()].slice(0, presencePerEdu);
          for (const { userId } of some) presence.delete(userId);
          edus.push(presenceEdu(some, clock.now()));
        }
        for (const [key, row] of typing) {
          if (edus.length >= limit) break;
          typing.delete(key);
          edus.push(typingEdu(row));
        }
      });
      return edus;
    },
    drop(serverName) {
      if (byServer.has(serverName)) {
        change(serverName, (waiting) => {
          waiting.typing.clear();
          waiting.receipts.clear();
          waiting.presence.clear();
        });
      }
    },
    count: () => total,
  };
}
