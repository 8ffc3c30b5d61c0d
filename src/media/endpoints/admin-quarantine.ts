import { Type } from 'typebox';
import { endpoint, type DeclaredEndpoint } from '../../http/endpoint.ts';
import type { AdminMediaNeeds } from './admin-media.ts';

const declare = endpoint<AdminMediaNeeds>();
const shared = {
  auth: 'admin',
  // Media workers listen for media only.
  resource: 'media',
  runsOn: { group: 'media_admin', balance: 'none' },
  source: 'Synapse, "Media Admin API"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  bodyMode: 'optional',
} as const;
const api = '/_synapse/admin/v1';

const ofServer = Type.Object({ serverName: Type.String(), mediaId: Type.String() });
const counted = { 200: Type.Object({ num_quarantined: Type.Integer() }) };
const done = { 200: Type.Object({}) };

/** Changes on one page. */
const changesMax = 100;

const quarantineOne = declare({
  ...shared,
  operation: 'quarantineAdminMedia',
  method: 'POST',
  paths: [`${api}/media/quarantine/:serverName/:mediaId`],
  summary: 'Puts one of the media into quarantine, and all with the same content',
  params: ofServer,
  answers: done,
  async handle({ params, requester }, { admin }) {
    await admin.quarantine(params, requester.userId);
    return {};
  },
});

const unquarantineOne = declare({
  ...shared,
  operation: 'unquarantineAdminMedia',
  method: 'POST',
  paths: [`${api}/media/unquarantine/:serverName/:mediaId`],
  summary: 'Takes one of the media out of quarantine, and all with the same content',
  params: ofServer,
  answers: done,
  async handle({ params }, { admin }) {
    await admin.unquarantine(params);
    return {};
  },
});

const quarantineRoom = declare({
  ...shared,
  operation: 'quarantineAdminRoomMedia',
  method: 'POST',
  paths: [`${api}/room/:roomId/media/quarantine`, `${api}/quarantine_media/:roomId`],
  summary: 'Puts all media that events of a room name into quarantine',
  params: Type.Object({ roomId: Type.String() }),
  answers: counted,
  handle: async ({ params, requester }, { admin }) => ({
    num_quarantined: await admin.quarantineRoom(params.roomId, requester.userId),
  }),
});

const quarantineUser = declare({
  ...shared,
  operation: 'quarantineAdminUserMedia',
  method: 'POST',
  paths: [`${api}/user/:userId/media/quarantine`],
  summary: 'Puts all media that a user has uploaded into quarantine',
  params: Type.Object({ userId: Type.String() }),
  answers: counted,
  handle: async ({ params, requester }, { admin }) => ({
    num_quarantined: await admin.quarantineUser(params.userId, requester.userId),
  }),
});

const protections = (['protect', 'unprotect'] as const).map((action) =>
  declare({
    ...shared,
    operation: `${action}AdminMedia`,
    method: 'POST',
    paths: [`${api}/media/${action}/:mediaId`],
    summary:
      action === 'protect' ? 'Exempts one of the media from quarantine' : 'Ends that exemption',
    params: Type.Object({ mediaId: Type.String() }),
    answers: done,
    async handle({ params }, { admin }) {
      await admin.protect(params.mediaId, action === 'protect');
      return {};
    },
  }),
);

const changes = declare({
  ...shared,
  operation: 'getAdminQuarantineChanges',
  method: 'GET',
  bodyMode: 'none',
  paths: [`${api}/media/quarantine_changes`],
  summary: 'What was put into quarantine and taken out of it, the oldest first',
  query: Type.Object({ from: Type.Optional(Type.Integer({ minimum: 0 })) }),
  async handle({ query: { from = 0 } }, { admin, serverName }) {
    const page = await admin.changes(from, changesMax);
    return {
      next_batch: page.at(-1)?.changeId ?? from,
      changes: page.map(({ origin, mediaId, isQuarantined }) => ({
        origin: origin === '' ? serverName : origin,
        media_id: mediaId,
        quarantined: isQuarantined,
      })),
    };
  },
});

export const adminQuarantineEndpoints: readonly DeclaredEndpoint<AdminMediaNeeds>[] = [
  quarantineOne,
  unquarantineOne,
  quarantineRoom,
  quarantineUser,
  ...protections,
  changes,
];
