import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { common, pdusAnswer, type FederationRoomsServices } from './needs.ts';

const declare = endpoint<FederationRoomsServices>();

const getEvent = declare({
  ...common,
  operation: 'getEventForServers',
  method: 'GET',
  paths: ['/_matrix/federation/v1/event/:eventId'],
  summary: 'One event, for a server in its room',
  source: 'SS 1.19, getEvent',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, origin }, services) {
    const { eventId } = params;
    const found = await services.events.anywhere(eventId!);
    if (found.length === 0) throw new MatrixError('M_NOT_FOUND', `Could not find event ${eventId}`);
    const mayRead = await Promise.all(
      found.map(({ roomNid }) => services.access.mayRead(roomNid, origin)),
    );
    const event = found.find((_, i) => mayRead[i]);
    if (!event) throw new MatrixError('M_FORBIDDEN', 'Host not in room.');
    return pdusAnswer(services, await services.view.pdus(event, origin, [event]));
  },
});

const getEventByTimestamp = declare({
  ...common,
  operation: 'getEventByTimestampForServers',
  method: 'GET',
  paths: ['/_matrix/federation/v1/timestamp_to_event/:roomId'],
  summary: 'The event nearest to a time, for a server in the room',
  source: 'SS 1.19, getEventByTimestamp',
  query: Type.Object({
    ts: Type.Integer({ minimum: 0 }),
    dir: Type.Union([Type.Literal('b'), Type.Literal('f')]),
  }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, query: { ts, dir }, origin }, { access, timeline }) {
    const { roomNid } = await access.room(params['roomId']!, origin);
    const event = await timeline.nearest(roomNid, ts, dir);
    if (!event) {
      const where = dir === 'f' ? 'forward' : 'backward';
      throw new MatrixError('M_NOT_FOUND', `Unable to find event from ${ts} in direction ${where}`);
    }
    return { event_id: event.eventId, origin_server_ts: event.originServerTs };
  },
});

export const eventEndpoints = [getEvent, getEventByTimestamp];
