import type { RoomServices } from '../rooms/module.ts';
import { purgedHistoryStream } from '../rooms/module.ts';
import { paced } from './pace.ts';
import type { Task } from './runner.ts';
import type { HistoryPurgeStore } from './store/purge-history.ts';
import type { RoomPurgeStore } from './store/purge-room.ts';

/** Rows that go at a time: some tenths of a second of work, and as long may a process stand still. */
const rowsAtOnce = 1_000;
/** Whoever had begun to write when the room went may have written behind the first round. */
const rounds = 2;

export interface PurgeNeeds {
  rooms: Pick<RoomServices, 'removed' | 'clock' | 'bus' | 'members' | 'config'>;
  roomRows: RoomPurgeStore;
  history: HistoryPurgeStore;
}

/** Deletes whatever has the number of a room that was taken away. */
export async function purgeRows(
  { roomRows }: Pick<PurgeNeeds, 'roomRows'>,
  roomNid: number,
  check: () => void,
): Promise<void> {
  for (let kind = 0; kind < roomRows.kinds; kind++) {
    for (let deleted = rowsAtOnce; deleted === rowsAtOnce;) {
      check();
      // oxlint-disable-next-line no-await-in-loop -- bounds each step
      deleted = await paced(() => roomRows.deleteSome(kind, roomNid, rowsAtOnce));
    }
  }
}

/** Deletes all that is left of the rooms of that id that were taken away. */
export async function purgeRemoved(
  needs: Pick<PurgeNeeds, 'rooms' | 'roomRows'>,
  roomId: string,
  check: () => void,
): Promise<void> {
  const { removed, clock } = needs.rooms;
  for (const { roomNid } of await removed.unpurged(roomId)) {
    for (let round = 0; round < rounds; round++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await purgeRows(needs, roomNid, check);
    }
    // oxlint-disable-next-line no-await-in-loop
    await removed.markPurged(roomNid, clock.now());
  }
}

/** What of a room's history is to go: what is before a place, or was sent before a time. */
export type HistoryWish =
  | { toPos: number; toSub: number; deletesLocal: boolean }
  | { beforeTs: number };

/** How far the looking has come. */
interface HistoryProgress {
  pos?: number;
  sub?: number;
}

async function upToPlace(
  { rooms, history }: PurgeNeeds,
  roomNid: number,
  wish: Extract<HistoryWish, { toPos: number }>,
  { job, check, save }: Task,
): Promise<void> {
  const progress = JSON.parse(job.progress) as HistoryProgress;
  const to = { pos: wish.toPos, sub: wish.toSub };
  const spared = wish.deletesLocal ? null : rooms.config.serverName;
  let after = { pos: progress.pos ?? -1, sub: progress.sub ?? 0 };
  for (;;) {
    check();
    const wanted = { after, to, spared, limit: rowsAtOnce };
    // oxlint-disable-next-line no-await-in-loop -- each goes on where the one before ended
    const page = await paced(() => history.upToPlace(roomNid, wanted));
    if (page.pos === null) break;
    after = { pos: page.pos, sub: page.sub! };
    // oxlint-disable-next-line no-await-in-loop
    await save(after);
  }
  for (let deleted = rowsAtOnce; deleted === rowsAtOnce;) {
    check();
    // oxlint-disable-next-line no-await-in-loop
    deleted = await paced(() => history.refused(roomNid, wish.toPos, rowsAtOnce));
  }
}

async function upToTime(
  { history }: PurgeNeeds,
  roomNid: number,
  beforeTs: number,
  { check }: Task,
): Promise<void> {
  for (let deleted = rowsAtOnce; deleted === rowsAtOnce;) {
    check();
    // oxlint-disable-next-line no-await-in-loop -- bounds each step
    deleted = await paced(() => history.upToTime(roomNid, beforeTs, rowsAtOnce));
  }
}

/** Deletes old messages of a room. A room that is no more has none. */
export async function purgeHistory(needs: PurgeNeeds, task: Task): Promise<void> {
  const { members, bus } = needs.rooms;
  const wish = JSON.parse(task.job.params) as HistoryWish;
  const room = await members.room(task.job.roomId);
  if (!room) return;
  const { roomNid } = room;
  if ('beforeTs' in wish) await upToTime(needs, roomNid, wish.beforeTs, task);
  else await upToPlace(needs, roomNid, wish, task);
  bus.publish([{ stream: purgedHistoryStream, pos: bus.nextEphemeral(), row: { roomNid } }]);
}
