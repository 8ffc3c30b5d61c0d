import { Type } from 'typebox';
import { clientPaths, endpoint, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { readableTimeline } from '../../rooms/module.ts';
import type { NewReport } from '../store/reports.ts';
import type { ReportNeeds } from './needs.ts';

const declare = endpoint<ReportNeeds>();

/** Longest reason; people read them. */
const reasonLengthMax = 10_000;
const reason = Type.String({ maxLength: reasonLengthMax });
const shared = {
  method: 'POST',
  auth: 'user',
  rateLimit: 'reports',
  runsOn: { group: 'client', balance: 'none' },
} as const;

/** NUL is no text for the database. */
const cleaned = (text: string | null) => text?.replaceAll('\0', '') ?? null;

async function add(
  { store, clock }: ReportNeeds,
  requester: Requester,
  report: Pick<NewReport, 'kind' | 'reason'> & Partial<NewReport>,
): Promise<object> {
  await store.add({
    roomNid: null,
    eventId: null,
    targetNid: null,
    score: null,
    ...report,
    reason: cleaned(report.reason),
    reporterNid: requester.userNid,
    receivedTs: clock.now(),
  });
  return {};
}

const reportEvent = declare({
  ...shared,
  operation: 'reportEvent',
  paths: clientPaths('/rooms/:roomId/report/:eventId'),
  summary: 'Reports an event to the admins',
  source: 'CS 1.19, reportEvent',
  body: Type.Object({
    reason: Type.Optional(reason),
    score: Type.Optional(Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 })),
  }),
  errors: ['M_NOT_FOUND', 'M_BAD_JSON', 'M_LIMIT_EXCEEDED'],
  async handle({ params, body, requester }, needs) {
    const notFound = () =>
      new MatrixError('M_NOT_FOUND', 'The event was not found or you are not joined to the room.');
    const { roomId, eventId } = params;
    const joined = await needs.rooms.access.of(roomId!, requester.userNid);
    if (joined?.membership !== 'join') throw notFound();
    const { access, visibility } = await readableTimeline(needs.rooms, roomId!, requester);
    const event = await needs.rooms.timeline.event(access.roomNid, eventId!);
    if (!event || event.status !== 0 || event.pos === null || !visibility.allows(event)) {
      throw notFound();
    }
    return add(needs, requester, {
      kind: 'event',
      roomNid: access.roomNid,
      eventId: event.eventId,
      targetNid: event.senderNid,
      reason: body.reason ?? null,
      score: body.score ?? null,
    });
  },
});

const reportRoom = declare({
  ...shared,
  operation: 'reportRoom',
  paths: clientPaths('/rooms/:roomId/report', { also: ['unstable/org.matrix.msc4151'] }),
  summary: 'Reports a room to the admins',
  source: 'CS 1.19, reportRoom; MSC4151',
  body: Type.Object({ reason }),
  errors: ['M_NOT_FOUND', 'M_BAD_JSON', 'M_LIMIT_EXCEEDED'],
  async handle({ params, body, requester }, needs) {
    const room = await needs.rooms.access.of(params['roomId']!, requester.userNid);
    if (!room) throw new MatrixError('M_NOT_FOUND', 'Room does not exist');
    return add(needs, requester, { kind: 'room', roomNid: room.roomNid, reason: body.reason });
  },
});

const reportUser = declare({
  ...shared,
  operation: 'reportUser',
  paths: clientPaths('/users/:userId/report', { also: ['unstable/org.matrix.msc4260'] }),
  summary: 'Reports a user to the admins',
  source: 'CS 1.19, reportUser; MSC4260',
  body: Type.Object({ reason }),
  errors: ['M_BAD_JSON', 'M_LIMIT_EXCEEDED'],
  async handle({ params, body, requester }, needs) {
    const userId = params['userId']!;
    // Who does not exist is reported without a word, so that nobody learns of it.
    if (!(await needs.hasAccount(userId))) return {};
    const targetNid = await needs.rooms.interned.find(userId);
    return add(needs, requester, { kind: 'user', targetNid, reason: body.reason });
  },
});

export const reportEndpoints = [reportEvent, reportRoom, reportUser];
