import type { Clock } from '../../kernel/clock.ts';
import type { RoomServices } from '../../rooms/module.ts';
import type { ServerAccess } from '../access.ts';
import type { AuthChains } from '../auth-chains.ts';
import type { createComplexity } from '../complexity.ts';
import type { ServerView } from '../server-view.ts';
import type { EventStore } from '../store/events.ts';
import type { Turns } from '../turns.ts';
import { JsonText } from '../../http/endpoint.ts';

export interface FederationRoomsServices {
  serverName: string;
  clock: Clock;
  timeline: Pick<RoomServices['timeline'], 'nearest'>;
  events: EventStore;
  access: ServerAccess;
  authChains: AuthChains;
  view: ServerView;
  complexity: ReturnType<typeof createComplexity>;
  /** For large answers. */
  turns: Turns;
}

/** What the endpoints have in common. */
export const common = {
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
} as const;

/** PDUs as a server answers them, in an envelope like that of what it sends. */
export function pdusAnswer(
  { serverName, clock }: Pick<FederationRoomsServices, 'serverName' | 'clock'>,
  pdus: readonly string[],
): JsonText {
  const origin = JSON.stringify(serverName);
  return new JsonText(
    `{"origin":${origin},"origin_server_ts":${clock.now()},"pdus":[${pdus.join(',')}]}`,
  );
}
