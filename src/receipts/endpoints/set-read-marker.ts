import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import type { ReceiptServices } from '../needs.ts';
import { moveFullyRead, moveReceipt, requireEventId } from '../read-marks.ts';

export const setReadMarker = endpoint<ReceiptServices>()({
  operation: 'setReadMarker',
  method: 'POST',
  paths: clientPaths('/rooms/:roomId/read_markers'),
  auth: 'guest',
  runsOn: { group: 'receipts', balance: 'room' },
  summary: 'Moves the fully-read marker and, if wanted, the receipts of a room',
  source: 'CS 1.19, setReadMarker',
  bodyMode: 'optional',
  answers: { 200: Type.Object({}) },
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_NOT_FOUND'],
  async handle({ params, body, requester }, services) {
    // Clients send null or nothing for what is to stay.
    const wanted = (name: string): string | null => {
      const eventId = body[name];
      if (eventId === undefined || eventId === null || eventId === '') return null;
      requireEventId(eventId);
      return eventId;
    };
    const marker = wanted('m.fully_read');
    const receipts = (['m.read', 'm.read.private'] as const).flatMap((type) => {
      const eventId = wanted(type);
      return eventId === null ? [] : [{ type, eventId, threadId: null }];
    });
    const { roomNid, roomId } = await services.rooms.joined(params.roomId!, requester);
    const { userNid, userId } = requester;
    services.noteActivity(requester);
    const reader = { userNid, userId, roomNid, roomId };
    const moves = receipts.map((receipt) => moveReceipt(services, reader, receipt));
    if (marker !== null) moves.push(moveFullyRead(services, reader, marker));
    await Promise.all(moves);
    return {};
  },
});
