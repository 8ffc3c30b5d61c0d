import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { ping, type PingEndpointNeeds } from './endpoints/ping.ts';

/** What application services ask for themselves. */
export function createAppservices(needs: PingEndpointNeeds): { endpoints: Endpoint[] } {
  return { endpoints: bindEndpoints([ping], needs) };
}
