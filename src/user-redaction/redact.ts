import type { Queryable } from '../database/database.ts';
import { MatrixError } from '../kernel/errors.ts';
import { inGroups } from '../kernel/in-groups.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { RunningTask } from '../tasks/module.ts';
import { eventsOfUser } from './store/events-of-user.ts';

/** What is to be redacted, and by whom. */
export interface RedactionWish {
  userId: string;
  adminId: string;
  /** The admin redacts also where the user could. */
  usesAdmin: boolean;
  rooms: string[];
  reason: string | null;
  /** Milliseconds since 1970. */
  beforeTs: number | null;
  afterTs: number | null;
  /** Events that are looked at in each room, the newest. */
  limit: number;
}

export interface RedactionNeeds {
  database: Queryable;
  rooms: Pick<RoomServices, 'writer' | 'members' | 'access' | 'interned' | 'config'>;
}

/** How far it is. */
interface Progress {
  /** Rooms that are done. */
  rooms: number;
  /** Of the room after them: the place that it has come to, and how many events have been seen. */
  before: { pos: number; sub: number };
  seen: number;
  /** Events that could not be redacted, and why. */
  failed: Record<string, string>;
}

const start = { pos: Number.MAX_SAFE_INTEGER, sub: 0 };
const pageMax = 100;
/** Redactions under way at once; they share transactions. */
const atOnce = 20;
/** Failures that are remembered. */
const failuresMax = 1_000;

interface Room {
  roomId: string;
  roomNid: number;
  roomVersion: string;
}

/** Who redacts in a room: the user, or the admin where that is wished or the user has left. */
async function redactorIn(
  { rooms }: RedactionNeeds,
  { userId, adminId, usesAdmin }: RedactionWish,
  { roomId }: Room,
  userNid: number,
): Promise<string> {
  if (usesAdmin || serverNameOf(userId) !== rooms.config.serverName) return adminId;
  return (await rooms.access.of(roomId, userNid))?.membership === 'join' ? userId : adminId;
}

async function redact(
  { rooms }: RedactionNeeds,
  room: Room,
  redacts: string,
  how: { sender: string; reason: string | null; taskId: string },
): Promise<void> {
  const content: JsonObject = how.reason === null ? {} : { reason: how.reason };
  const inContent = roomVersion(room.roomVersion).redactsInContent;
  await rooms.writer.append({
    roomId: room.roomId,
    events: [
      {
        sender: how.sender,
        type: 'm.room.redaction',
        content: inContent ? { ...content, redacts } : content,
        ...(inContent ? {} : { redacts }),
      },
    ],
    // However often it is tried, it is sent once.
    transaction: { deviceNid: null, txnId: redacts, scope: `redact ${how.taskId}` },
  });
}

/** The next events of a room. True: there are no more. */
async function redactPage(
  needs: RedactionNeeds,
  wish: RedactionWish,
  room: Room,
  user: { userNid: number; sender: string; taskId: string },
  progress: Progress,
): Promise<boolean> {
  const limit = Math.min(pageMax, wish.limit - progress.seen);
  if (limit <= 0) return true;
  const { beforeTs, afterTs, reason } = wish;
  const { before } = progress;
  const { roomNid } = room;
  const { userNid, sender, taskId } = user;
  const found = await eventsOfUser(needs.database, {
    roomNid,
    userNid,
    before,
    beforeTs,
    afterTs,
    limit,
  });
  await inGroups(
    found.filter(({ isRedacted }) => !isRedacted),
    atOnce,
    ({ eventId }) =>
      redact(needs, room, eventId, { sender, reason, taskId }).catch((error: unknown) => {
        if (!(error instanceof MatrixError) || error.status >= 500) throw error;
        if (Object.keys(progress.failed).length < failuresMax) {
          progress.failed[eventId] = error.message;
        }
      }),
  );
  progress.seen += found.length;
  const last = found.at(-1);
  if (last) progress.before = { pos: last.pos, sub: last.sub };
  return found.length < limit;
}

/** The work of the task. Gives what could not be redacted. */
export async function redactUser(needs: RedactionNeeds, task: RunningTask) {
  const wish = task.params as RedactionWish;
  const progress: Progress = structuredClone(task.progress as Progress | null) ?? {
    rooms: 0,
    before: start,
    seen: 0,
    failed: {},
  };
  const userNid = await needs.rooms.interned.find(wish.userId);
  while (userNid !== null && progress.rooms < wish.rooms.length) {
    const roomId = wish.rooms[progress.rooms]!;
    // oxlint-disable-next-line no-await-in-loop -- room by room, page by page: bounded, and resumable
    const known = await needs.rooms.members.room(roomId);
    let isDone = known === null;
    if (known) {
      const room = { roomId, ...known };
      // oxlint-disable-next-line no-await-in-loop
      const sender = await redactorIn(needs, wish, room, userNid);
      const user = { userNid, sender, taskId: task.taskId };
      // oxlint-disable-next-line no-await-in-loop
      isDone = await redactPage(needs, wish, room, user, progress);
    }
    if (isDone) Object.assign(progress, { rooms: progress.rooms + 1, before: start, seen: 0 });
    // oxlint-disable-next-line no-await-in-loop
    await task.save(progress);
  }
  return { failed_redactions: progress.failed };
}
