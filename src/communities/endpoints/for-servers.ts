import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { readable, type CommunityServices } from '../access.ts';
import { membersOf, profileOf, roomsOf } from '../shown.ts';
import type { CommunityRow } from '../store/communities.ts';
import type { SectionKind } from '../store/sections.ts';
import { sectionsOf } from './sections.ts';
import { summaryFor } from './summary.ts';

type Read = (services: CommunityServices, community: CommunityRow, sectionId: string) => unknown;

async function sectionOf(
  services: CommunityServices,
  community: CommunityRow,
  kind: SectionKind,
  id: string,
) {
  const found = (await sectionsOf(services, community, kind))[id];
  if (!found) throw new MatrixError('M_NOT_FOUND', `Unknown ${kind}`);
  return found;
}

/** What other servers may read: of public communities, what is public in them. */
const reads: readonly [operation: string, path: string, read: Read][] = [
  ['Profile', 'profile', (_services, community) => profileOf(community)],
  ['Summary', 'summary', (services, community) => summaryFor(services, community, null)],
  [
    'Rooms',
    'rooms',
    async (services, community) => {
      const chunk = await roomsOf(services, community);
      return { chunk, total_room_count_estimate: chunk.length };
    },
  ],
  [
    'Users',
    'users',
    async (services, community) => {
      const chunk = await membersOf(services, community, 'join');
      return { chunk, total_user_count_estimate: chunk.length };
    },
  ],
  [
    'Categories',
    'categories',
    async (services, community) => ({
      categories: await sectionsOf(services, community, 'category'),
    }),
  ],
  [
    'Category',
    'categories/:sectionId',
    (services, community, id) => sectionOf(services, community, 'category', id),
  ],
  [
    'Roles',
    'roles',
    async (services, community) => ({ roles: await sectionsOf(services, community, 'role') }),
  ],
  [
    'Role',
    'roles/:sectionId',
    (services, community, id) => sectionOf(services, community, 'role', id),
  ],
];

export const forServersEndpoints = reads.map(([name, path, read]) =>
  endpoint<CommunityServices>()({
    operation: `getGroup${name}ForServers`,
    method: 'GET',
    paths: [`/_matrix/federation/v1/groups/:groupId/${path}`],
    auth: 'server',
    resource: 'federation',
    runsOn: { group: 'federation', balance: 'none' },
    deprecated: true,
    summary: 'Shows a public community to another server',
    source: 'SS r0.1 draft, "Groups"',
    async handle({ params }, services) {
      const community = await readable(services, params['groupId']!, null);
      return read(services, community, params['sectionId'] ?? '');
    },
  }),
);
