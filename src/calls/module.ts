import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { callsEndpoints, type CallsNeeds } from './endpoints/calls.ts';

export type { CallsConfig } from './config.ts';
export type { CallsNeeds } from './endpoints/calls.ts';

/** What voice and video calls need of a server. */
export function createCalls(needs: CallsNeeds): { endpoints: Endpoint[] } {
  return { endpoints: bindEndpoints(callsEndpoints, needs) };
}
