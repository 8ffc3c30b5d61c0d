import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { administered, readable, seesOnlyPublic, type CommunityServices } from '../access.ts';
import {
  deleteSection,
  selectSections,
  upsertSection,
  type SectionKind,
  type SectionRow,
} from '../store/sections.ts';
import type { CommunityRow } from '../store/communities.ts';

const declare = endpoint<CommunityServices>();
const runsOn = { group: 'main', balance: 'none' } as const;
const source = 'CS r0.2 draft, "Groups"';

/** Categories, and roles, of one community. */
const sectionsMax = 1_000;
const sectionIdLengthMax = 255;

const shown = ({ profile, isPublic }: SectionRow) => ({
  profile: JSON.parse(profile) as unknown,
  is_public: isPublic,
});

/** By id, those that the reader sees. */
export async function sectionsOf(
  { database }: CommunityServices,
  community: CommunityRow,
  kind: SectionKind,
): Promise<Record<string, ReturnType<typeof shown>>> {
  const rows = await database.query(selectSections, [community.communityNid, kind]);
  const visible = rows.filter((row) => row.isPublic || !seesOnlyPublic(community));
  return Object.fromEntries(visible.map((row) => [row.sectionId, shown(row)]));
}

function endpointsOf(kind: SectionKind) {
  const name = kind === 'category' ? 'Category' : 'Role';
  const plural = kind === 'category' ? 'categories' : 'roles';
  const what = kind === 'category' ? 'A category of rooms' : 'A role of users';
  const paths = clientPaths(`/groups/:groupId/${plural}/:sectionId`);
  const common = { paths, runsOn, deprecated: true, source } as const;

  return [
    declare({
      operation: `getGroup${kind === 'category' ? 'Categories' : 'Roles'}`,
      method: 'GET',
      paths: clientPaths(`/groups/:groupId/${plural}`),
      auth: 'guest',
      runsOn,
      deprecated: true,
      summary: kind === 'category' ? 'Categories of rooms' : 'Roles of users',
      source,
      async handle({ params, requester }, services) {
        const community = await readable(services, params['groupId']!, requester);
        return { [plural]: await sectionsOf(services, community, kind) };
      },
    }),
    declare({
      ...common,
      operation: `getGroup${name}`,
      method: 'GET',
      auth: 'guest',
      summary: what,
      async handle({ params, requester }, services) {
        const community = await readable(services, params['groupId']!, requester);
        const [id, sections] = [params['sectionId']!, await sectionsOf(services, community, kind)];
        if (!Object.hasOwn(sections, id)) throw new MatrixError('M_NOT_FOUND', `Unknown ${kind}`);
        return sections[id];
      },
    }),
    declare({
      ...common,
      operation: `setGroup${name}`,
      method: 'PUT',
      auth: 'user',
      summary: `${what}: makes or changes it`,
      body: Type.Object({
        profile: Type.Optional(Type.Record(Type.String(), Type.Any())),
        'm.visibility': Type.Optional(Type.Object({ type: Type.String() })),
      }),
      async handle({ params, body, requester }, services) {
        const { groupId, sectionId } = params;
        const { communityNid } = await administered(services, groupId!, requester);
        if (sectionId!.length > sectionIdLengthMax) {
          throw new MatrixError('M_INVALID_PARAM', `The id of a ${kind} is too long`);
        }
        const profile = body.profile ? JSON.stringify(body.profile) : null;
        const isPublic = body['m.visibility']?.type !== 'private';
        const wish = [communityNid, kind, sectionId!, profile, isPublic, sectionsMax] as const;
        if ((await services.database.query(upsertSection, [...wish])).length === 0) {
          throw new MatrixError('M_UNKNOWN', `A group has at most ${sectionsMax} ${plural}`);
        }
        return {};
      },
    }),
    declare({
      ...common,
      operation: `deleteGroup${name}`,
      method: 'DELETE',
      auth: 'user',
      summary: `${what}: removes it`,
      bodyMode: 'optional',
      async handle({ params, requester }, services) {
        const { groupId, sectionId } = params;
        const { communityNid } = await administered(services, groupId!, requester);
        const featured = kind === 'category' ? 'room' : 'user';
        await services.database.query(deleteSection, [communityNid, kind, sectionId!, featured]);
        return {};
      },
    }),
  ];
}

export const sectionEndpoints = [...endpointsOf('category'), ...endpointsOf('role')];
