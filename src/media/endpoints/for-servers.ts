import { Type } from 'typebox';
import { endpoint, type DeclaredEndpoint, type RequestInfo } from '../../http/endpoint.ts';
import { serveMultipart } from '../serve-multipart.ts';
import type { DownloadNeeds } from './download.ts';
import { sizeQuery, thumbnailName, thumbnailWish, waitMsOf, waitQuery } from './wishes.ts';

export interface ForServersNeeds extends DownloadNeeds {
  serverName: string;
}

const declare = endpoint<ForServersNeeds>();
const shared = {
  method: 'GET',
  auth: 'server',
  resource: 'media',
  runsOn: { group: 'media', balance: 'none' },
} as const;
const params = Type.Object({ mediaId: Type.String() });

/** Other servers get this one's own media only. */
const find = (
  { media, serverName }: ForServersNeeds,
  mediaId: string,
  timeoutMs: number,
  request: RequestInfo,
) =>
  media.find({
    serverName,
    mediaId,
    timeoutMs,
    isOpen: false,
    allowsRemote: false,
    remoteAddress: request.remoteAddress,
    bypassesQuarantine: false,
    caller: request,
  });

const download = declare({
  ...shared,
  operation: 'getContentForServers',
  paths: ['/_matrix/federation/v1/media/download/:mediaId'],
  summary: 'Gives another server a file',
  source: 'SS 1.19, getContent',
  params,
  query: waitQuery,
  errors: ['M_NOT_FOUND', 'M_NOT_YET_UPLOADED'],
  async handle({ params: { mediaId }, query, raw, request }, needs) {
    const { content } = await find(needs, mediaId, waitMsOf(query), request);
    await serveMultipart(needs, raw, content, request.id);
  },
});

const thumbnail = declare({
  ...shared,
  operation: 'getContentThumbnailForServers',
  paths: ['/_matrix/federation/v1/media/thumbnail/:mediaId'],
  summary: 'Gives another server a small form of an image',
  source: 'SS 1.19, getContentThumbnail',
  params,
  query: Type.Object({ ...waitQuery.properties, ...sizeQuery.properties }),
  errors: ['M_NOT_FOUND', 'M_NOT_YET_UPLOADED', 'M_UNKNOWN', 'M_TOO_LARGE', 'M_LIMIT_EXCEEDED'],
  async handle({ params: { mediaId }, query, raw, request }, needs) {
    const wish = thumbnailWish(query);
    const media = await find(needs, mediaId, waitMsOf(query), request);
    const made = await needs.thumbnails.of(media, wish);
    const served = { ...made, fileName: thumbnailName(made.contentType) };
    await serveMultipart(needs, raw, served, request.id);
  },
});

export const forServersEndpoints: readonly DeclaredEndpoint<ForServersNeeds>[] = [
  download,
  thumbnail,
];
