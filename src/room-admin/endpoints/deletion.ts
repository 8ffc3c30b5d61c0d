import { Type, type Static } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import { progressOf } from '../delete-room.ts';
import { shared, type RoomAdminServices } from '../needs.ts';
import { nothingDone, type DeletionWish } from '../shutdown.ts';
import type { JobRow } from '../store/jobs.ts';
import { legalRoomId } from './blocking.ts';

const declare = endpoint<RoomAdminServices>();

const nullableText = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const body = Type.Object({
  new_room_user_id: nullableText,
  room_name: nullableText,
  message: nullableText,
  block: Type.Optional(Type.Boolean()),
  purge: Type.Optional(Type.Boolean()),
  force_purge: Type.Optional(Type.Boolean()),
});

/** Begins to delete a room; gives the job's id. Throws M_UNKNOWN. */
async function begin(
  { rooms, jobs }: RoomAdminServices,
  roomId: string,
  wanted: Static<typeof body>,
  by: string,
): Promise<string> {
  const newRoomUserId = wanted.new_room_user_id ?? null;
  if (newRoomUserId !== null && serverNameOf(newRoomUserId) !== rooms.config.serverName) {
    throw new MatrixError('M_UNKNOWN', `User must be our own: ${newRoomUserId}`);
  }
  const wish: DeletionWish = {
    by,
    newRoomUserId,
    newRoomName: wanted.room_name ?? null,
    message: wanted.message ?? null,
    block: wanted.block ?? false,
    purge: wanted.purge ?? true,
    forcePurge: wanted.force_purge ?? false,
  };
  return jobs.add('delete', roomId, wish);
}

const statusOf = (job: JobRow) => ({
  delete_id: job.jobId,
  room_id: job.roomId,
  status: job.status,
  shutdown_room: progressOf(job).shutdown ?? nothingDone(),
  ...(job.error === null ? {} : { error: job.error }),
});

const deleteRoom = declare({
  ...shared,
  operation: 'adminDeleteRoom',
  method: 'DELETE',
  paths: ['/_synapse/admin/v1/rooms/:roomId'],
  summary: 'Deletes a room, and answers when that is done',
  source: 'Synapse admin API, "Delete Room API"',
  deprecated: true,
  body,
  errors: ['M_FORBIDDEN', 'M_UNKNOWN', 'M_BAD_JSON'],
  async handle({ params, body: wanted, requester, request }, services) {
    const roomId = legalRoomId(params['roomId']);
    const jobId = await begin(services, roomId, wanted, requester.userId);
    const job = await services.jobs.ended(jobId, () => request.isGone);
    if (job?.error) throw new MatrixError('M_UNKNOWN', job.error);
    return (job && progressOf(job).shutdown) ?? nothingDone();
  },
});

const deleteRoomInBackground = declare({
  ...shared,
  operation: 'adminDeleteRoomInBackground',
  method: 'DELETE',
  paths: ['/_synapse/admin/v2/rooms/:roomId'],
  summary: 'Begins to delete a room',
  source: 'Synapse admin API, "Delete Room API"',
  body,
  errors: ['M_FORBIDDEN', 'M_UNKNOWN', 'M_BAD_JSON'],
  async handle({ params, body: wanted, requester }, services) {
    const roomId = legalRoomId(params['roomId']);
    return { delete_id: await begin(services, roomId, wanted, requester.userId) };
  },
});

const getDeletionsOfRoom = declare({
  ...shared,
  operation: 'adminGetRoomDeletions',
  method: 'GET',
  paths: ['/_synapse/admin/v2/rooms/:roomId/delete_status'],
  summary: 'How far the deletions of a room are',
  source: 'Synapse admin API, "Status of deleting rooms"',
  errors: ['M_FORBIDDEN', 'M_UNKNOWN', 'M_NOT_FOUND'],
  async handle({ params }, { jobRows }) {
    const roomId = legalRoomId(params['roomId']);
    const jobs = await jobRows.deletionsOf(roomId);
    if (jobs.length === 0) {
      throw new MatrixError('M_NOT_FOUND', `No delete task for room_id '${roomId}' found`);
    }
    return { results: jobs.map(statusOf) };
  },
});

const getDeletion = declare({
  ...shared,
  operation: 'adminGetRoomDeletion',
  method: 'GET',
  paths: ['/_synapse/admin/v2/rooms/delete_status/:deleteId'],
  summary: 'How far the deletion of a room is',
  source: 'Synapse admin API, "Status of deleting rooms"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { jobRows }) {
    const job = await jobRows.one(params['deleteId']!);
    if (!job || job.kind === 'purge_history') {
      throw new MatrixError('M_NOT_FOUND', `delete id '${params['deleteId']}' not found`);
    }
    return statusOf(job);
  },
});

export const deletionEndpoints = [
  deleteRoom,
  deleteRoomInBackground,
  getDeletionsOfRoom,
  getDeletion,
];
