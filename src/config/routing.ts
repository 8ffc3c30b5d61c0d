import { list, text, textOrList } from './kinds.ts';
import { group, option, optional, section, type ValuesOf } from './option.ts';

const names = (doc: string) => optional(textOrList, `${doc} Names of workers.`);

const members = {
  initial_sync: names('Who takes first syncs, which would hold up others, and nothing else.'),
  registration_login: names('Who takes sign-in and sign-up, and nothing else.'),
  bridges: names('Who takes the requests of heavy bridges, and nothing else.'),
  bridge_appservices: option(
    list(text),
    [],
    'Which bridges are heavy: ids of their application services.',
  ),
  bridge_user_agents: option(list(text), [], 'The same by parts of their `User-Agent`.'),
};

export const routingSection = section(
  'Routing',
  'Workers that are kept for a part of the requests, for the built-in router and `lattice routes`.',
  {
    routing: group(members, 'Workers that are kept for a part of the requests.'),
  },
);

export type PoolName = 'initial_sync' | 'registration_login' | 'bridges';

export interface RoutingConfig {
  /** The workers that are kept for a pool. */
  pools: ReadonlyMap<PoolName, readonly string[]>;
  bridgeAppservices: readonly string[];
  bridgeUserAgents: readonly string[];
}

export function readRouting({ routing }: ValuesOf<typeof routingSection.options>): RoutingConfig {
  const { initial_sync, registration_login, bridges } = routing;
  const pools = { initial_sync, registration_login, bridges };
  return {
    pools: new Map(
      Object.entries(pools).flatMap(([pool, workers]) =>
        workers ? [[pool as PoolName, workers] as const] : [],
      ),
    ),
    bridgeAppservices: routing.bridge_appservices,
    bridgeUserAgents: routing.bridge_user_agents,
  };
}
