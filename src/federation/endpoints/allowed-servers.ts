import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';

export interface AllowedServersNeeds {
  /** [federation_domain_whitelist]; null: all. */
  allowedServers: readonly string[] | null;
}

export const getFederationWhitelist = endpoint<AllowedServersNeeds>()({
  operation: 'getFederationWhitelist',
  method: 'GET',
  paths: ['/_synapse/client/v1/config/federation_whitelist'],
  auth: 'user',
  runsOn: { group: 'main', balance: 'none' },
  summary: 'The only servers that this one has to do with',
  source: 'Synapse, federation_whitelist_endpoint_enabled',
  answers: {
    200: Type.Object({ whitelist_enabled: Type.Boolean(), whitelist: Type.Array(Type.String()) }),
  },
  handle: (_request, { allowedServers }) => ({
    whitelist_enabled: allowedServers !== null,
    whitelist: [...(allowedServers ?? [])],
  }),
});
