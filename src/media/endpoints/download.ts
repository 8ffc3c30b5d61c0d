import { Type, type Static } from 'typebox';
import { endpoint, type DeclaredEndpoint, type EndpointContext } from '../../http/endpoint.ts';
import type { Requester } from '../../http/endpoint.ts';
import { mayBypassQuarantine, type FindMedia } from '../find-media.ts';
import { authedPaths, mediaPaths } from '../paths.ts';
import { serveContent, type ServeNeeds } from '../serve-content.ts';
import type { Thumbnails } from '../thumbnails/thumbnails.ts';
import { sizeQuery, thumbnailName, thumbnailWish, waitMsOf, waitQuery } from './wishes.ts';

export interface DownloadNeeds extends ServeNeeds {
  media: FindMedia;
  thumbnails: Thumbnails;
}

const params = Type.Object({ serverName: Type.String(), mediaId: Type.String() });
const namedParams = Type.Object({ ...params.properties, fileName: Type.String() });
const query = Type.Object({
  ...waitQuery.properties,
  allow_remote: Type.Optional(Type.Boolean()),
  allow_redirect: Type.Optional(Type.Boolean()),
  admin_unsafely_bypass_quarantine: Type.Optional(Type.Boolean()),
});
const thumbnailQuery = Type.Object({
  ...query.properties,
  ...sizeQuery.properties,
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
    timeoutMs: waitMsOf(asked),
    isOpen: requester === null,
    allowsRemote: asked.allow_remote ?? true,
    remoteAddress: request.remoteAddress,
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
  const wish = thumbnailWish(context.query);
  const made = await needs.thumbnails.of(await find(context, needs), wish);
  const fileName = thumbnailName(made.contentType);
  const served = { ...made, fileName, isPublic: context.requester === null };
  await serveContent(needs, context.raw, served, context.request.id);
}

const declare = endpoint<DownloadNeeds>();
const shared = {
  method: 'GET',
  resource: 'media',
  runsOn: { group: 'media', balance: 'none' },
  errors: ['M_NOT_FOUND', 'M_NOT_YET_UPLOADED', 'M_UNKNOWN', 'M_TOO_LARGE', 'M_LIMIT_EXCEEDED'],
} as const;
/** The older paths need no token; with one they serve everything, as the newer ones do. */
const older = { auth: 'optional', deprecated: true } as const;
const ofThumbnails = {
  ...shared,
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
