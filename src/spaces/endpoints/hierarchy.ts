import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { hierarchy, type HierarchyWish } from '../hierarchy.ts';
import type { SpaceNeeds } from './needs.ts';

const limitDefault = 50;
const limitMax = 50;
/** Spaces in spaces; further down nobody looks, and loops end. */
const depthLimit = 20;

/** Servers to ask when this one is not in the room (MSC4235). */
const via = Type.Optional(Type.Array(Type.String()));

interface Place {
  skip: number;
  depthMax: number;
  suggestedOnly: boolean;
}

const formatPlace = ({ skip, depthMax, suggestedOnly }: Place) =>
  `h${skip}_${depthMax}_${Number(suggestedOnly)}`;

function parsePlace(token: string): Place {
  const match = /^h(\d{1,9})_(\d{1,2})_([01])$/.exec(token);
  if (!match) throw new MatrixError('M_INVALID_PARAM', '`from` is not a token of this server');
  return { skip: Number(match[1]), depthMax: Number(match[2]), suggestedOnly: match[3] === '1' };
}

interface HierarchyQuery {
  suggested_only?: boolean;
  limit?: number;
  max_depth?: number;
  from?: string;
}

async function page(
  needs: SpaceNeeds,
  reader: { userId: string; userNid: number },
  query: HierarchyQuery,
  root: Pick<HierarchyWish, 'roomId' | 'via' | 'seesAll'>,
) {
  const wanted: Place = {
    skip: 0,
    depthMax: Math.min(query.max_depth ?? depthLimit, depthLimit),
    suggestedOnly: query.suggested_only ?? false,
  };
  const place = query.from ? parsePlace(query.from) : wanted;
  const changed =
    place.depthMax !== wanted.depthMax || place.suggestedOnly !== wanted.suggestedOnly;
  if (changed) {
    throw new MatrixError(
      'M_INVALID_PARAM',
      'suggested_only and max_depth cannot change on paginated requests',
    );
  }
  const limit = Math.min(query.limit ?? limitDefault, limitMax);
  const { rooms, hasMore } = await hierarchy(needs, reader, { ...place, ...root, limit });
  const next = formatPlace({ ...place, skip: place.skip + limit });
  return { rooms, ...(hasMore ? { next_batch: next } : {}) };
}

const shownPart = {
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
  max_depth: Type.Optional(Type.Integer({ minimum: 0 })),
  from: Type.Optional(Type.String()),
};

export const getSpaceHierarchy = endpoint<SpaceNeeds>()({
  operation: 'getSpaceHierarchy',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/hierarchy', {
    since: 'v1',
    also: ['unstable/org.matrix.msc2946'],
  }),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'room' },
  summary: 'The rooms of a space, and of the spaces in it',
  source: 'CS 1.19, getSpaceHierarchy; MSC4235',
  query: Type.Object({
    ...shownPart,
    suggested_only: Type.Optional(Type.Boolean()),
    via,
    'org.matrix.msc4235.via': via,
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  handle: ({ params, query, requester }, needs) =>
    page(needs, requester, query, {
      roomId: params['roomId']!,
      via: query.via ?? query['org.matrix.msc4235.via'] ?? [],
    }),
});

/** What an admin need not be in, and this server is. */
export const getSpaceHierarchyForAdmins = endpoint<SpaceNeeds>()({
  operation: 'adminGetSpaceHierarchy',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms/:roomId/hierarchy'],
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  summary: 'The rooms of a space, and of the spaces in it, as far as this server is in them',
  source: 'Synapse admin API, "Room Hierarchy API"',
  query: Type.Object(shownPart),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  handle: ({ params, query, requester }, needs) =>
    page(needs, requester, query, { roomId: params['roomId']!, via: [], seesAll: true }),
});
