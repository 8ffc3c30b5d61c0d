import type { AccountSubscriber } from '../accounts/module.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { CommunityServices } from './access.ts';
import { aboutEndpoints } from './endpoints/about.ts';
import { forServersEndpoints } from './endpoints/for-servers.ts';
import { memberEndpoints } from './endpoints/members.ts';
import { ofUsersEndpoints } from './endpoints/of-users.ts';
import { roomEndpoints } from './endpoints/rooms.ts';
import { sectionEndpoints } from './endpoints/sections.ts';
import { summaryEndpoints } from './endpoints/summary.ts';
import { deleteMemberships } from './store/members.ts';

export type { CommunitiesConfig } from './config.ts';
export type { CommunityServices } from './access.ts';

export interface Communities {
  endpoints: Endpoint[];
  /** Who is deactivated belongs to none any more. */
  accountEvents: AccountSubscriber;
}

/** Communities, which old clients call groups. Only of this server, for its users. */
export function createCommunities(services: CommunityServices): Communities {
  const declared = [
    ...aboutEndpoints,
    ...memberEndpoints,
    ...roomEndpoints,
    ...sectionEndpoints,
    ...summaryEndpoints,
    ...ofUsersEndpoints,
    ...forServersEndpoints,
  ];
  return {
    endpoints: bindEndpoints(declared, services),
    accountEvents: {
      async deactivated({ userNid }) {
        await services.database.query(deleteMemberships, [userNid]);
      },
    },
  };
}
