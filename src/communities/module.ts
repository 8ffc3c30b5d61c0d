import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { CommunityServices } from './access.ts';
import { aboutEndpoints } from './endpoints/about.ts';
import { forServersEndpoints } from './endpoints/for-servers.ts';
import { memberEndpoints } from './endpoints/members.ts';
import { ofUsersEndpoints } from './endpoints/of-users.ts';
import { roomEndpoints } from './endpoints/rooms.ts';
import { sectionEndpoints } from './endpoints/sections.ts';
import { summaryEndpoints } from './endpoints/summary.ts';

export type { CommunitiesConfig } from './config.ts';
export type { CommunityServices } from './access.ts';

/** Communities, which old clients call groups. Only of this server, for its users. */
export function createCommunities(services: CommunityServices): { endpoints: Endpoint[] } {
  const declared = [
    ...aboutEndpoints,
    ...memberEndpoints,
    ...roomEndpoints,
    ...sectionEndpoints,
    ...summaryEndpoints,
    ...ofUsersEndpoints,
    ...forServersEndpoints,
  ];
  return { endpoints: bindEndpoints(declared, services) };
}
