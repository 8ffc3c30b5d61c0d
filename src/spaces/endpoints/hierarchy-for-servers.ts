import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { hierarchyForServer } from '../hierarchy-for-servers.ts';
import type { SpaceNeeds } from './needs.ts';

export const getSpaceHierarchyForServers = endpoint<SpaceNeeds>()({
  operation: 'getSpaceHierarchyForServers',
  method: 'GET',
  paths: ['/_matrix/federation/v1/hierarchy/:roomId'],
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
  summary: 'Shows another server a space and its children, as far as its users may know of them',
  source: 'SS 1.19, getSpaceHierarchy',
  query: Type.Object({ suggested_only: Type.Optional(Type.Boolean()) }),
  errors: ['M_NOT_FOUND'],
  handle: ({ params, query, origin }, needs) =>
    hierarchyForServer(needs, origin, {
      roomId: params['roomId']!,
      suggestedOnly: query.suggested_only ?? false,
    }),
});
