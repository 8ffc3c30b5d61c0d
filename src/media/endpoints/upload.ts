import { Type } from 'typebox';
import { endpoint, type DeclaredEndpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { MediaConfig } from '../config.ts';
import { safeContentType } from '../content-headers.ts';
import { authedPaths, mediaPaths } from '../paths.ts';
import type { Uploads } from '../uploads.ts';

export interface UploadNeeds {
  uploads: Uploads;
  config: MediaConfig;
}

const runsOn = { group: 'media', balance: 'none' } as const;
const nameQuery = Type.Object({ filename: Type.Optional(Type.String()) });
const fileNameMax = 1024;

/** A name of a file, shortened to what can be kept. */
const shortName = (name: string | undefined) => name?.slice(0, fileNameMax) ?? null;

const uploadContent = endpoint<UploadNeeds>()({
  operation: 'uploadContent',
  method: 'POST',
  paths: mediaPaths('/upload'),
  auth: 'user',
  resource: 'media',
  runsOn,
  summary: 'Uploads a file',
  source: 'CS 1.19, uploadContent',
  query: nameQuery,
  bodyMode: 'none',
  answers: { 200: Type.Object({ content_uri: Type.String() }) },
  errors: ['M_TOO_LARGE', 'M_RESOURCE_LIMIT_EXCEEDED'],
  async handle({ query, requester, raw: { req } }, { uploads }) {
    const contentUri = await uploads.upload({
      req,
      userNid: requester.userNid,
      contentType: safeContentType(req.headers['content-type']),
      fileName: shortName(query.filename),
    });
    return { content_uri: contentUri };
  },
});

const createContent = endpoint<UploadNeeds>()({
  operation: 'createContent',
  method: 'POST',
  paths: ['/_matrix/media/v1/create'],
  auth: 'user',
  rateLimit: 'media_create',
  resource: 'media',
  runsOn,
  summary: 'Makes a media id that something can be uploaded to later',
  source: 'CS 1.19, createContent',
  bodyMode: 'optional',
  answers: {
    200: Type.Object({ content_uri: Type.String(), unused_expires_at: Type.Integer() }),
  },
  errors: ['M_LIMIT_EXCEEDED'],
  async handle({ requester }, { uploads }) {
    const { contentUri, unusedExpiresTs } = await uploads.create(requester.userNid);
    return { content_uri: contentUri, unused_expires_at: unusedExpiresTs };
  },
});

const uploadContentToMxc = endpoint<UploadNeeds>()({
  operation: 'uploadContentToMXC',
  method: 'PUT',
  paths: mediaPaths('/upload/:serverName/:mediaId'),
  auth: 'user',
  resource: 'media',
  runsOn,
  summary: 'Uploads a file to a media id that was made before',
  source: 'CS 1.19, uploadContentToMXC',
  params: Type.Object({ serverName: Type.String(), mediaId: Type.String() }),
  query: nameQuery,
  bodyMode: 'none',
  answers: { 200: Type.Object({}) },
  errors: [
    'M_FORBIDDEN',
    'M_NOT_FOUND',
    'M_CANNOT_OVERWRITE_MEDIA',
    'M_TOO_LARGE',
    'M_RESOURCE_LIMIT_EXCEEDED',
  ],
  async handle({ params, query, requester, raw: { req } }, { uploads, config }) {
    if (params.serverName !== config.serverName) {
      throw new MatrixError('M_NOT_FOUND', 'The media id is of another server');
    }
    await uploads.uploadTo(params.mediaId, {
      req,
      userNid: requester.userNid,
      contentType: safeContentType(req.headers['content-type']),
      fileName: shortName(query.filename),
    });
    return {};
  },
});

const limits = { 200: Type.Object({ 'm.upload.size': Type.Integer() }) };

const getConfig = endpoint<UploadNeeds>()({
  operation: 'getConfig',
  method: 'GET',
  paths: mediaPaths('/config'),
  auth: 'user',
  resource: 'media',
  runsOn,
  deprecated: true,
  summary: 'Tells how large uploads may be',
  source: 'CS 1.19, getConfig',
  answers: limits,
  handle: (_, { config }) => ({ 'm.upload.size': config.uploadBytesMax }),
});

const getConfigAuthed = endpoint<UploadNeeds>()({
  operation: 'getConfigAuthed',
  method: 'GET',
  paths: authedPaths('/config'),
  auth: 'user',
  resource: 'media',
  runsOn,
  summary: 'Tells how large uploads may be',
  source: 'CS 1.19, getConfigAuthed',
  answers: limits,
  handle: (_, { config }) => ({ 'm.upload.size': config.uploadBytesMax }),
});

export const uploadEndpoints: readonly DeclaredEndpoint<UploadNeeds>[] = [
  uploadContent,
  createContent,
  uploadContentToMxc,
  getConfig,
  getConfigAuthed,
];
