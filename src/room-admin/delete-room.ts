import { setTimeout as pause } from 'node:timers/promises';
import { purgeRemoved, type PurgeNeeds } from './purge.ts';
import type { Task } from './runner.ts';
import {
  nothingDone,
  shutDown,
  type DeletionWish,
  type ShutdownNeeds,
  type ShutdownResult,
} from './shutdown.ts';

/** How long other servers are waited for, so that they hear who has left; and how often is looked. */
const tellingMsMax = 20_000;
const lookMs = 500;

export interface DeletionNeeds extends ShutdownNeeds, Omit<PurgeNeeds, 'rooms'> {
  /** Whether those of the servers that can be reached have what came up to a position. */
  areTold(serverNames: readonly string[], pos: number): Promise<boolean>;
}

/** How far the deletion of a room is. */
export interface DeletionProgress {
  shutdown?: ShutdownResult;
  /** Everybody has left. */
  isEmpty?: boolean;
}

export const progressOf = ({ progress }: { progress: string }): DeletionProgress =>
  JSON.parse(progress) as DeletionProgress;

/** Events of a room that is no more are sent to nobody: its last ones are to be on their way first. */
async function untilTold({ rooms, areTold }: DeletionNeeds, roomId: string, { check }: Task) {
  const room = await rooms.members.room(roomId);
  if (!room) return;
  const servers = [...((await rooms.servers.joined([room.roomNid])).get(room.roomNid) ?? [])];
  if (servers.length === 0) return;
  const names = servers.map(([name]) => name);
  const pos = rooms.bus.position();
  const untilMs = performance.now() + tellingMsMax;
  // oxlint-disable-next-line no-await-in-loop
  while (performance.now() < untilMs && !(await areTold(names, pos))) {
    check();
    // oxlint-disable-next-line no-await-in-loop
    await pause(lookMs);
  }
}

/** Empties a room and, if that is wished, deletes all that there is of it. */
export async function deleteRoom(needs: DeletionNeeds, task: Task): Promise<void> {
  const { job, check, save } = task;
  const { roomId } = job;
  const wish = JSON.parse(job.params) as DeletionWish;
  const progress = progressOf(job);
  const result = (progress.shutdown ??= nothingDone());
  if (!progress.isEmpty) {
    await shutDown(needs, roomId, wish, result, { check, save: () => save(progress) });
    progress.isEmpty = true;
    await save(progress);
  }
  if (!wish.purge) return;
  await untilTold(needs, roomId, task);
  check();
  await needs.rooms.writer.remove({ roomId, isForced: wish.forcePurge });
  await purgeRemoved(needs, roomId, check);
}

/** Deletes a room that every user of this server had forgotten, unless somebody has come back. */
export async function purgeForgotten(needs: DeletionNeeds, { job, check }: Task): Promise<void> {
  const { rooms } = needs;
  const room = await rooms.members.room(job.roomId);
  if (room && !(await rooms.members.isForgottenByAll(room.roomNid))) return;
  await rooms.writer.remove({ roomId: job.roomId, isForced: false });
  await purgeRemoved(needs, job.roomId, check);
}
