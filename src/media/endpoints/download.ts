import { Type, type Static } from 'typebox';
import { endpoint, type DeclaredEndpoint, type EndpointContext } from '../../http/endpoint.ts';
import type { Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { mayBypassQuarantine, type FindMedia } from '../find-media.ts';
import { authedPaths, mediaPaths } from '../paths.ts';
import { serveContent, type ServeNeeds } from '../serve-content.ts';
import type { Thumbnails } from '../thumbnails/thumbnails.ts';

export interface DownloadNeeds extends ServeNeeds {
  media: FindMedia;
  thumbnails: Thumbnails;
}

/** How long a client waits for an upload when it does not say, and at most. */
const timeoutMsDefault = 20_000;
const timeoutMsMax = 60_000;

const params = Type.Object({ serverName: Type.String(), mediaId: Type.String() });
const namedParams = Type.Object({ ...params.properties, fileName: Type.String() });
const query = Type.Object({
  timeout_ms: Type.Optional(Type.Integer({ minimum: 0 })),
  allow_remote: Type.Optional(Type.Boolean()),
  allow_redirect: Type.Optional(Type.Boolean()),
  admin_unsafely_bypass_quarantine: Type.Optional(Type.Boolean()),
});
const thumbnailQuery = Type.Object({
  ...query.properties,
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  method: Type.Optional(Type.Union([Type.Literal('crop'), Type.Literal('scale')])),
  animated: Type.Optional(Type.Boolean()),
});

type Context = EndpointContext<
  Static<typeof params> & { fileName?: string },
  Static<typeof query>,
  unknown,
  Requester | null
>;

function find(
  { params: { serverName, mediaId }, query: asked, requester, request }: Context,
  needs: DownloadNeeds,
) {
  return needs.media.find({
    serverName,
    mediaId,
    timeoutMs: Math.min(asked.timeout_ms ?? timeoutMsDefault, timeoutMsMax),
    isOpen: requester === null,
    bypassesQuarantine: mayBypassQuarantine(requester, asked.admin_unsafely_bypass_quarantine),
    caller: request,
  });
}

async function download(context: Context, needs: DownloadNeeds): Promise<void> {
  const { content } = await find(context, needs);
  const fileName = context.params.fileName ?? content.fileName;
  const served = { ...content, fileName, isPublic: context.requester === null };
  await serveContent(needs, context.raw, served, context.request.id);
}

async function thumbnail(
  context: Context & { query: Static<typeof thumbnailQuery> },
  needs: DownloadNeeds,
): Promise<void> {
  const { width, height, method = 'scale', animated = false } = context.query;
  if (method !== 'crop' && method !== 'scale') {
    throw new MatrixError('M_INVALID_PARAM', 'method must be crop or scale');
  }
  const media = await find(context, needs);
  const size = { width, height, method };
  const made = await needs.thumbnails.of(media, { size, isAnimated: animated });
  const type = made.contentType.split('/')[1]!;
  const served = { ...made, fileName: `thumbnail.${type}`, isPublic: context.requester === null };
  await serveContent(needs, context.raw, served, context.request.id);
}

const declare = endpoint<DownloadNeeds>();
const shared = {
  method: 'GET',
  resource: 'media',
  runsOn: { group: 'media', balance: 'none' },
  errors: ['M_NOT_FOUND', 'M_NOT_YET_UPLOADED'],
} as const;
/** The older paths need no token; with one they serve everything, as the newer ones do. */
const older = { auth: 'optional', deprecated: true } as const;
const ofThumbnails = {
  ...shared,
  errors: ['M_NOT_FOUND', 'M_NOT_YET_UPLOADED', 'M_UNKNOWN', 'M_TOO_LARGE', 'M_LIMIT_EXCEEDED'],
  summary: 'A small form of an image',
} as const;

export const downloadEndpoints: readonly DeclaredEndpoint<DownloadNeeds>[] = [
  declare({
    ...shared,
    operation: 'getContentAuthed',
    paths: authedPaths('/download/:serverName/:mediaId'),
    auth: 'guest',
    summary: 'Downloads a file',
    source: 'CS 1.19, getContentAuthed',
    params,
    query,
    handle: download,
  }),
  declare({
    ...shared,
    operation: 'getContentOverrideNameAuthed',
    paths: authedPaths('/download/:serverName/:mediaId/:fileName'),
    auth: 'guest',
    summary: 'Downloads a file under a name of one’s own',
    source: 'CS 1.19, getContentOverrideNameAuthed',
    params: namedParams,
    query,
    handle: download,
  }),
  declare({
    ...ofThumbnails,
    operation: 'getContentThumbnailAuthed',
    paths: authedPaths('/thumbnail/:serverName/:mediaId'),
    auth: 'guest',
    source: 'CS 1.19, getContentThumbnailAuthed',
    params,
    query: thumbnailQuery,
    handle: thumbnail,
  }),
  declare({
    ...shared,
    operation: 'getContent',
    paths: mediaPaths('/download/:serverName/:mediaId'),
    ...older,
    summary: 'Downloads a file that was uploaded for everybody',
    source: 'CS 1.19, getContent',
    params,
    query,
    handle: download,
  }),
  declare({
    ...shared,
    operation: 'getContentOverrideName',
    paths: mediaPaths('/download/:serverName/:mediaId/:fileName'),
    ...older,
    summary: 'Downloads a file that was uploaded for everybody, under a name of one’s own',
    source: 'CS 1.19, getContentOverrideName',
    params: namedParams,
    query,
    handle: download,
  }),
  declare({
    ...ofThumbnails,
    operation: 'getContentThumbnail',
    paths: mediaPaths('/thumbnail/:serverName/:mediaId'),
    ...older,
    source: 'CS 1.19, getContentThumbnail',
    params,
    query: thumbnailQuery,
    handle: thumbnail,
  }),
];
