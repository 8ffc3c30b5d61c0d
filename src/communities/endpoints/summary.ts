import { Type } from 'typebox';
import { clientPaths, endpoint, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { administered, readable, seesOnlyPublic, type CommunityServices } from '../access.ts';
import { membersOf, profileOf, roomsOf } from '../shown.ts';
import {
  deleteFeatured,
  selectFeatured,
  upsertFeatured,
  type FeaturedKind,
} from '../store/sections.ts';
import type { CommunityRow } from '../store/communities.ts';
import { sectionsOf } from './sections.ts';

const declare = endpoint<CommunityServices>();
const runsOn = { group: 'main', balance: 'none' } as const;
const source = 'CS r0.2 draft, "Groups"';

/** Rooms, and users, that one summary shows. */
const featuredMax = 100;

/** The featured rooms or users, in their order, each with what is shown of it. */
async function featuredOf<T>(
  { database }: CommunityServices,
  community: CommunityRow,
  kind: FeaturedKind,
  shown: ReadonlyMap<string, T>,
) {
  const rows = await database.query(selectFeatured, [community.communityNid, kind]);
  return rows
    .filter((row) => row.isPublic || !seesOnlyPublic(community))
    .flatMap(({ target, sectionId, position, isPublic }) => {
      const one = shown.get(target);
      const section = kind === 'room' ? 'category_id' : 'role_id';
      const place = sectionId === '' ? {} : { [section]: sectionId };
      return one ? [{ ...one, ...place, order: position, is_public: isPublic }] : [];
    });
}

/** The whole of what is shown first of a community. */
export async function summaryFor(
  services: CommunityServices,
  community: CommunityRow,
  reader: Requester | null,
) {
  const [rooms, users, categories, roles] = await Promise.all([
    roomsOf(services, community),
    membersOf(services, community, 'join'),
    sectionsOf(services, community, 'category'),
    sectionsOf(services, community, 'role'),
  ]);
  const [featuredRooms, featuredUsers] = await Promise.all([
    featuredOf(services, community, 'room', new Map(rooms.map((room) => [room.room_id, room]))),
    featuredOf(services, community, 'user', new Map(users.map((user) => [user.user_id, user]))),
  ]);
  return {
    profile: profileOf(community),
    rooms_section: {
      rooms: featuredRooms,
      categories,
      total_room_count_estimate: rooms.length,
    },
    users_section: { users: featuredUsers, roles, total_user_count_estimate: users.length },
    ...(reader && community.membership !== null
      ? {
          user: {
            membership: community.membership,
            is_privileged: community.isAdmin,
            is_publicised: community.isPublicised,
          },
        }
      : {}),
  };
}

const getSummary = declare({
  operation: 'getGroupSummary',
  method: 'GET',
  paths: clientPaths('/groups/:groupId/summary'),
  auth: 'guest',
  runsOn,
  deprecated: true,
  summary: 'What is shown first of a community',
  source,
  async handle({ params, requester }, services) {
    const community = await readable(services, params['groupId']!, requester);
    return summaryFor(services, community, requester);
  },
});

const pathsOf = (kind: FeaturedKind) => {
  const [targets, sections] = kind === 'room' ? ['rooms', 'categories'] : ['users', 'roles'];
  return [
    ...clientPaths(`/groups/:groupId/summary/${targets}/:target`),
    ...clientPaths(`/groups/:groupId/summary/${sections}/:sectionId/${targets}/:target`),
  ];
};

const featureEndpoints = (['room', 'user'] as const).flatMap((kind) => [
  declare({
    operation: `featureGroup${kind === 'room' ? 'Room' : 'User'}`,
    method: 'PUT',
    paths: pathsOf(kind),
    auth: 'user',
    runsOn,
    deprecated: true,
    summary: `Shows a ${kind} in the summary of a community`,
    source,
    body: Type.Object({
      order: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
      'm.visibility': Type.Optional(Type.Object({ type: Type.String() })),
    }),
    bodyMode: 'optional',
    async handle({ params, body, requester }, services) {
      const { groupId, sectionId = '', target } = params;
      const { communityNid } = await administered(services, groupId!, requester);
      const stored = await services.database.query(upsertFeatured, [
        communityNid,
        kind,
        target!,
        sectionId,
        body.order ?? null,
        body['m.visibility']?.type !== 'private',
        featuredMax,
      ]);
      if (stored.length === 0) {
        throw new MatrixError('M_UNKNOWN', `A summary shows at most ${featuredMax} ${kind}s`);
      }
      return {};
    },
  }),
  declare({
    operation: `unfeatureGroup${kind === 'room' ? 'Room' : 'User'}`,
    method: 'DELETE',
    paths: pathsOf(kind),
    auth: 'user',
    runsOn,
    deprecated: true,
    summary: `No longer shows a ${kind} in the summary of a community`,
    source,
    bodyMode: 'optional',
    async handle({ params, requester }, services) {
      const { groupId, sectionId = '', target } = params;
      const { communityNid } = await administered(services, groupId!, requester);
      await services.database.query(deleteFeatured, [communityNid, kind, target!, sectionId]);
      return {};
    },
  }),
]);

export const summaryEndpoints = [getSummary, ...featureEndpoints];
