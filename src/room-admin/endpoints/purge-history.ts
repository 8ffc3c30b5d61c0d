import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { shared, type RoomAdminServices } from '../needs.ts';
import type { HistoryWish } from '../purge.ts';
import { roomNotFound } from './rooms.ts';

const declare = endpoint<RoomAdminServices>();
const source = 'Synapse admin API, "Purge History API"';
const path = '/_synapse/admin/v1/purge_history/:roomId';

/** The first event that is to stay. Throws M_NOT_FOUND, M_UNKNOWN, M_BAD_JSON. */
async function boundary(
  { rooms }: RoomAdminServices,
  roomId: string,
  wish: { eventId: string | undefined; ts: number | undefined },
): Promise<{ pos: number; sub: number }> {
  const { eventId, ts } = wish;
  if (eventId === undefined && ts === undefined) {
    const message = 'must specify purge_up_to_event_id or purge_up_to_ts';
    throw new MatrixError('M_BAD_JSON', message);
  }
  const room = await rooms.members.room(roomId);
  if (!room) throw roomNotFound();
  if (eventId === undefined) {
    const nearest = await rooms.timeline.nearest(room.roomNid, ts!, 'b');
    if (!nearest) throw new MatrixError('M_NOT_FOUND', 'there is no event to be purged');
    return { pos: nearest.pos!, sub: nearest.sub };
  }
  const event = await rooms.timeline.event(room.roomNid, eventId);
  if (event?.pos !== null && event !== null) return { pos: event.pos, sub: event.sub };
  if (await rooms.timeline.eventAnywhere(eventId)) {
    throw new MatrixError('M_UNKNOWN', 'Event is for wrong room.');
  }
  throw new MatrixError('M_NOT_FOUND', `Could not find event ${eventId}`);
}

const purgeHistory = declare({
  ...shared,
  operation: 'adminPurgeHistory',
  method: 'POST',
  paths: [path, `${path}/:eventId`],
  summary: 'Begins to delete the messages of a room from before an event, or a time',
  source,
  body: Type.Object({
    delete_local_events: Type.Optional(Type.Boolean()),
    purge_up_to_event_id: Type.Optional(Type.String()),
    purge_up_to_ts: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  bodyMode: 'optional',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_UNKNOWN', 'M_BAD_JSON'],
  async handle({ params, body }, services) {
    const roomId = params['roomId']!;
    const { pos, sub } = await boundary(services, roomId, {
      eventId: params['eventId'] ?? body.purge_up_to_event_id,
      ts: body.purge_up_to_ts,
    });
    const deletesLocal = body.delete_local_events ?? false;
    const wish: HistoryWish = { toPos: pos, toSub: sub, deletesLocal };
    return { purge_id: await services.jobs.add('purge_history', roomId, wish) };
  },
});

const getPurgeStatus = declare({
  ...shared,
  operation: 'adminGetPurgeHistoryStatus',
  method: 'GET',
  paths: ['/_synapse/admin/v1/purge_history_status/:purgeId'],
  summary: 'How far a deletion of messages is',
  source,
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { jobRows }) {
    const job = await jobRows.one(params['purgeId']!);
    if (job?.kind !== 'purge_history') {
      throw new MatrixError('M_NOT_FOUND', `purge id '${params['purgeId']}' not found`);
    }
    const { status, error } = job;
    return {
      status: status === 'scheduled' ? 'active' : status,
      ...(error === null ? {} : { error }),
    };
  },
});

export const purgeHistoryEndpoints = [purgeHistory, getPurgeStatus];
