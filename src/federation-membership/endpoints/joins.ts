import { StreamedBody } from '../../http/endpoint.ts';
import { listsText } from '../../federation-rooms/module.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { pduOf } from '../invites.ts';
import type { Memberships } from '../module.ts';
import { declare, pduBody, placed, templateAnswer, versionsIn, versionsQuery } from './needs.ts';

const makeJoin = declare({
  ...placed,
  operation: 'makeJoin',
  method: 'GET',
  paths: ['/_matrix/federation/v1/make_join/:roomId/:userId'],
  summary: 'Gives another server the event by which its user may join a room',
  source: 'SS 1.19, makeJoin',
  query: versionsQuery,
  answers: templateAnswer,
  errors: [
    'M_FORBIDDEN',
    'M_NOT_FOUND',
    'M_INCOMPATIBLE_ROOM_VERSION',
    'M_UNABLE_TO_AUTHORISE_JOIN',
    'M_UNABLE_TO_GRANT_JOIN',
  ],
  async handle({ params, query, origin }, { others }) {
    const { roomId = '', userId = '' } = params;
    const made = await others.make('join', roomId, userId, origin, versionsIn(query));
    return { room_version: made.roomVersion, event: made.event };
  },
});

/** The answer in pieces: a large room does not fit into memory many times. */
async function* joinAnswer(
  { roomBefore }: Memberships,
  roomId: string,
  own: { event: JsonObject; eventId: string; serverName: string },
): AsyncGenerator<string> {
  const { state, authChain } = await roomBefore(roomId, own.eventId);
  const { event, serverName: origin } = own;
  let lead = `${JSON.stringify({ origin, members_omitted: false, event }).slice(0, -1)},`;
  for await (const piece of listsText({ state, auth_chain: authChain })) {
    yield lead === '' ? piece : lead + piece.slice(1);
    lead = '';
  }
}

async function* inArray(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  yield '[200,';
  yield* pieces;
  yield ']';
}

const sendJoin = (['v2', 'v1'] as const).map((version) =>
  declare({
    ...placed,
    operation: version === 'v2' ? 'sendJoinV2' : 'sendJoinV1',
    method: 'PUT',
    paths: [`/_matrix/federation/${version}/send_join/:roomId/:eventId`],
    deprecated: version === 'v1',
    summary: 'Takes in the join of a user of another server, and gives the room as it was before',
    source: `SS 1.19, sendJoin${version.toUpperCase()}`,
    body: pduBody,
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM', 'M_UNABLE_TO_AUTHORISE_JOIN'],
    async handle({ params, body, origin }, memberships) {
      const { roomId = '', eventId = '' } = params;
      const { others } = memberships;
      const sent = await others.send('join', roomId, body as JsonObject, { origin, eventId });
      const own = { event: pduOf(sent.event), eventId, serverName: memberships.serverName };
      const pieces = joinAnswer(memberships, roomId, own);
      return new StreamedBody(version === 'v2' ? pieces : inArray(pieces));
    },
  }),
);

export const joinEndpoints = [makeJoin, ...sendJoin];
