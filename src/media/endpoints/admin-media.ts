import { Type, type Static } from 'typebox';
import { endpoint, type DeclaredEndpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { MediaAdmin } from '../admin.ts';
import { mediaOrders, type MediaOrder } from '../store/admin-media.ts';
import type { Media } from '../store/media.ts';

export interface AdminMediaNeeds {
  admin: MediaAdmin;
  serverName: string;
}

const declare = endpoint<AdminMediaNeeds>();
const shared = {
  auth: 'admin',
  // Media workers listen for media only.
  resource: 'media',
  runsOn: { group: 'media_admin', balance: 'none' },
  source: 'Synapse, "Media Admin API"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
} as const;
const api = '/_synapse/admin/v1';

const OfServer = Type.Object({ serverName: Type.String(), mediaId: Type.String() });
const ofUser = Type.Object({ userId: Type.String() });
const deletedMedia = (ids: string[]) => ({ deleted_media: ids, total: ids.length });
const deletedAnswers = {
  200: Type.Object({ deleted_media: Type.Array(Type.String()), total: Type.Integer() }),
};

function listed(media: Media) {
  return {
    created_ts: media.createdTs,
    last_access_ts: media.lastAccessTs,
    media_id: media.mediaId,
    media_length: media.content?.bytes ?? null,
    media_type: media.content?.contentType ?? null,
    quarantined_by: media.quarantinedBy,
    safe_from_quarantine: media.isProtected,
    upload_name: media.content?.fileName ?? null,
  };
}

const getMedia = declare({
  ...shared,
  operation: 'getAdminMedia',
  method: 'GET',
  paths: [`${api}/media/:serverName/:mediaId`],
  summary: 'What is known of one of the media',
  params: OfServer,
  async handle({ params }, { admin, serverName }) {
    const media = await admin.find(params);
    return {
      media_info: {
        ...listed(media),
        media_origin: media.origin === '' ? serverName : media.origin,
        user_id: media.userId,
        filesystem_id: null,
        url_cache: null,
        authenticated: media.isAuthenticated,
        sha256: media.content?.sha256 ?? null,
      },
    };
  },
});

const listOfRoom = declare({
  ...shared,
  operation: 'getAdminRoomMedia',
  method: 'GET',
  paths: [`${api}/room/:roomId/media`],
  summary: 'The media that events of a room name, as far as they are not encrypted',
  params: Type.Object({ roomId: Type.String() }),
  handle: ({ params }, { admin }) => admin.inRoom(params.roomId),
});

const pageQuery = Type.Object({
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  order_by: Type.Optional(Type.String()),
  dir: Type.Optional(Type.String()),
});
const limitDefault = 100;
const limitMax = 1_000;

/** Newest first, unless an order is asked for. */
function pageOf({
  from = 0,
  limit = limitDefault,
  order_by: order,
  dir,
}: Static<typeof pageQuery>) {
  if (order !== undefined && !mediaOrders.includes(order as MediaOrder)) {
    throw new MatrixError('M_INVALID_PARAM', `order_by must be one of ${mediaOrders.join(', ')}`);
  }
  if (dir !== undefined && dir !== 'f' && dir !== 'b') {
    throw new MatrixError('M_INVALID_PARAM', 'dir must be f or b');
  }
  const direction: 'f' | 'b' = dir ?? (order === undefined ? 'b' : 'f');
  return {
    order: (order ?? 'created_ts') as MediaOrder,
    direction,
    from,
    limit: Math.min(limit, limitMax),
  };
}

const onMain = {
  ...shared,
  resource: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
} as const;

const listOfUser = declare({
  ...onMain,
  operation: 'getAdminUserMedia',
  method: 'GET',
  paths: [`${api}/users/:userId/media`],
  summary: 'The media that a user has uploaded',
  params: ofUser,
  query: pageQuery,
  async handle({ params, query }, { admin }) {
    const page = pageOf(query);
    const { media, total } = await admin.ofUser(params.userId, page);
    const next = page.from + media.length;
    return { media: media.map(listed), total, ...(next < total ? { next_token: next } : {}) };
  },
});

const deleteOfUser = declare({
  ...onMain,
  operation: 'deleteAdminUserMedia',
  method: 'DELETE',
  paths: [`${api}/users/:userId/media`],
  summary: 'Deletes a page of the media that a user has uploaded',
  params: ofUser,
  query: pageQuery,
  bodyMode: 'optional',
  answers: deletedAnswers,
  async handle({ params, query }, { admin }) {
    return deletedMedia(await admin.deleteOfUser(params.userId, pageOf(query)));
  },
});

const deleteMedia = declare({
  ...shared,
  operation: 'deleteAdminMedia',
  method: 'DELETE',
  paths: [`${api}/media/:serverName/:mediaId`],
  summary: 'Deletes one of this server’s media',
  params: OfServer,
  bodyMode: 'optional',
  answers: deletedAnswers,
  handle: async ({ params }, { admin }) => deletedMedia(await admin.delete(params)),
});

const deleteOld = declare({
  ...shared,
  operation: 'deleteAdminOldMedia',
  method: 'POST',
  paths: [`${api}/media/delete`, `${api}/media/:serverName/delete`],
  summary: 'Deletes this server’s media that nobody has looked at since a time',
  query: Type.Object({
    before_ts: Type.Integer({ minimum: 0 }),
    size_gt: Type.Optional(Type.Integer({ minimum: 0 })),
    keep_profiles: Type.Optional(Type.Boolean()),
  }),
  bodyMode: 'optional',
  answers: deletedAnswers,
  async handle({ params, query }, { admin, serverName }) {
    const named = params['serverName'];
    if (named !== undefined && named !== serverName) {
      throw new MatrixError('M_UNKNOWN', 'Only media of this server can be deleted so');
    }
    const ids = await admin.deleteOld({
      beforeTs: query.before_ts,
      bytesAbove: query.size_gt ?? 0,
      keepsAvatars: query.keep_profiles ?? true,
    });
    return deletedMedia(ids);
  },
});

const purgeCache = declare({
  ...shared,
  operation: 'purgeAdminMediaCache',
  method: 'POST',
  paths: [`${api}/purge_media_cache`],
  summary: 'Deletes copies of other servers’ media that nobody has looked at since a time',
  query: Type.Object({ before_ts: Type.Integer({ minimum: 0 }) }),
  bodyMode: 'optional',
  handle: async ({ query }, { admin }) => ({ deleted: await admin.purgeRemote(query.before_ts) }),
});

export const adminMediaEndpoints: readonly DeclaredEndpoint<AdminMediaNeeds>[] = [
  getMedia,
  listOfRoom,
  listOfUser,
  deleteOfUser,
  deleteMedia,
  deleteOld,
  purgeCache,
];
