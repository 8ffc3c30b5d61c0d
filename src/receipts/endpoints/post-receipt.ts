import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { ReceiptServices } from '../needs.ts';
import { moveFullyRead, moveReceipt, requireEventId } from '../read-marks.ts';

const types = ['m.read', 'm.read.private', 'm.fully_read'] as const;

function threadIdOf(body: Record<string, unknown>, type: (typeof types)[number]): string | null {
  const threadId = body.thread_id;
  if (threadId === undefined) return null;
  if (typeof threadId !== 'string' || threadId === '') {
    throw new MatrixError('M_INVALID_PARAM', 'thread_id must be a non-empty string');
  }
  if (type === 'm.fully_read') {
    throw new MatrixError('M_INVALID_PARAM', 'thread_id does not go with m.fully_read');
  }
  return threadId;
}

export const postReceipt = endpoint<ReceiptServices>()({
  operation: 'postReceipt',
  method: 'POST',
  paths: clientPaths('/rooms/:roomId/receipt/:receiptType/:eventId'),
  auth: 'guest',
  runsOn: { group: 'receipts', balance: 'room' },
  summary: 'Marks a room, or a thread of it, as read up to an event',
  source: 'CS 1.19, postReceipt',
  bodyMode: 'optional',
  answers: { 200: Type.Object({}) },
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_NOT_FOUND'],
  async handle({ params, body, requester }, services) {
    const type = types.find((known) => known === params.receiptType);
    if (!type) {
      throw new MatrixError(
        'M_INVALID_PARAM',
        `the receipt type must be one of ${types.join(', ')}`,
      );
    }
    const { eventId } = params;
    requireEventId(eventId);
    const threadId = threadIdOf(body, type);
    const { roomNid, roomId } = await services.rooms.joined(params.roomId!, requester);
    const { userNid, userId } = requester;
    services.noteActivity(requester);
    const reader = { userNid, userId, roomNid, roomId };
    if (type === 'm.fully_read') await moveFullyRead(services, reader, eventId);
    else await moveReceipt(services, reader, { type, eventId, threadId });
    return {};
  },
});
