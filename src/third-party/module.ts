import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { lookUpEndpoints } from './endpoints/look-ups.ts';
import { createNetworks, type NetworksNeeds } from './networks.ts';

export type { NetworksNeeds } from './networks.ts';

/** What clients ask of networks that bridges lead to. */
export function createThirdParty(needs: NetworksNeeds): { endpoints: Endpoint[] } {
  return { endpoints: bindEndpoints(lookUpEndpoints, { networks: createNetworks(needs) }) };
}
