import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { common, type FederationRoomsServices } from './needs.ts';

export const getRoomComplexity = endpoint<FederationRoomsServices>()({
  ...common,
  operation: 'getRoomComplexity',
  method: 'GET',
  paths: ['v1', 'unstable'].map(
    (version) => `/_matrix/federation/${version}/rooms/:roomId/complexity`,
  ),
  summary:
    'How much of an effort it is to be in a public room, for a server that thinks of joining',
  source: 'Synapse, limit_remote_rooms',
  answers: { 200: Type.Object({ v1: Type.Number() }) },
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  handle: ({ params, origin }, { complexity }) => complexity.forServer(params['roomId']!, origin),
});
