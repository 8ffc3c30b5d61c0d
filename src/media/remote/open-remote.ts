import type { IncomingHttpHeaders } from 'node:http';
import { backOffForClients, createBackOff } from '../../federation-client/back-off.ts';
import { FederationError } from '../../federation-client/errors.ts';
import type { FederationClient } from '../../federation-client/federation-client.ts';
import type { Clock } from '../../kernel/clock.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { OutboundError } from '../../outbound/errors.ts';
import type { OutboundHttp } from '../../outbound/outbound-http.ts';
import { safeContentType } from '../content-headers.ts';
import { fileNameIn } from './file-name.ts';
import { boundaryIn, MultipartError, readPart } from './multipart.ts';

/** One of the media of another server, as it comes. */
export interface OpenedMedia {
  contentType: string;
  fileName: string | null;
  /** To be read to its end or left; rejects with what `toldOf` knows. */
  content: AsyncIterable<Buffer>;
}

export interface OpenRemoteNeeds {
  federation: Pick<FederationClient, 'open'>;
  /** To where other servers say that their contents are. */
  http: Pick<OutboundHttp, 'open'>;
  clock: Clock;
  bytesMax: number;
}

export interface RemoteMediaWish {
  serverName: string;
  mediaId: string;
  /** How long the other server may wait for an upload. */
  timeoutMs: number;
}

/** From the request to the first byte, beyond the wait for an upload. */
const headMsMax = 30_000;
/** For all of it: the largest contents on slow lines. */
const bodyMsMax = 10 * 60_000;
const redirectsMax = 3;
/** Boundaries, and what is said of the content. */
const aroundBytesMax = 128 * 1024;

const tooLarge = (bytesMax: number) => {
  const text = `The content has more than ${bytesMax} bytes`;
  return new MatrixError('M_TOO_LARGE', text, { status: 502 });
};

/** The server knows no such endpoint (MSC3743); older ones say so in ways of their own. */
function isUnknownEndpoint(error: unknown): boolean {
  const answer = error instanceof FederationError ? error.answer : null;
  if (answer === null || ![400, 404, 405].includes(answer.status)) return false;
  return answer.body === null || answer.body['errcode'] === 'M_UNRECOGNIZED';
}

/** What a client is told that wanted media of another server. */
export function toldOf(error: unknown): unknown {
  const unfetched = (status: number) =>
    new MatrixError('M_UNKNOWN', 'The media could not be fetched from their server', {
      status,
      cause: error,
    });
  if (error instanceof MultipartError) return unfetched(502);
  if (!(error instanceof FederationError) && !(error instanceof OutboundError)) return error;
  if (error.reason === 'denied') {
    return new MatrixError('M_FORBIDDEN', 'This server does not federate with that of the media');
  }
  const answer = error instanceof FederationError ? error.answer : null;
  const code = answer?.body?.['errcode'];
  if (error.reason === 'too_large' || code === 'M_TOO_LARGE') {
    const text = 'The content is too large to be fetched';
    return new MatrixError('M_TOO_LARGE', text, { status: 502 });
  }
  if (answer?.status === 404) return new MatrixError('M_NOT_FOUND', 'There is no such media');
  if (answer?.status === 504 && code === 'M_NOT_YET_UPLOADED') {
    return new MatrixError('M_NOT_YET_UPLOADED', 'Nothing was uploaded to this media id yet');
  }
  return unfetched(502);
}

/** Aborts when the head of an answer takes too long, and not while its body comes. */
async function withHeadIn<T>(ms: number, begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const late = new DOMException('the answer takes too long', 'TimeoutError');
  const timer = setTimeout(() => controller.abort(late), ms);
  try {
    return await begin(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Opens media of other servers: by the endpoint for servers, and where there is none by that for
 * everybody (server-server spec, "Content Repository"). Rejects with what `toldOf` knows.
 */
export function createOpenRemote({ federation, http, clock, bytesMax }: OpenRemoteNeeds) {
  const backOff = createBackOff(backOffForClients, clock);

  async function* bounded(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      yield piece;
    }
  }

  const opened = (
    headers: IncomingHttpHeaders | Readonly<Record<string, string>>,
    body: AsyncIterable<Buffer>,
  ): OpenedMedia => ({
    contentType: safeContentType(headers['content-type']),
    fileName: fileNameIn(headers['content-disposition']),
    content: bounded(body),
  });

  async function openElsewhere(url: string): Promise<OpenedMedia> {
    const { status, headers, body } = await withHeadIn(headMsMax, (signal) =>
      http.open(url, { timeoutMs: bodyMsMax, bytesMax, redirectsMax, signal }),
    );
    if (status === 200) return opened(headers, body);
    await body[Symbol.asyncIterator]().return?.();
    throw new OutboundError('unreachable', `where the content should be is ${status}`);
  }

  async function openSigned(wish: RemoteMediaWish): Promise<OpenedMedia> {
    const { serverName, mediaId, timeoutMs } = wish;
    const path = `/_matrix/federation/v1/media/download/${encodeURIComponent(mediaId)}`;
    const { headers, body } = await withHeadIn(headMsMax + timeoutMs, (signal) =>
      federation.open(serverName, {
        method: 'GET',
        uri: `${path}?timeout_ms=${timeoutMs}`,
        timeoutMs: bodyMsMax,
        bytesMax: bytesMax + aroundBytesMax,
        signal,
        backOff,
      }),
    );
    const boundary = boundaryIn(headers['content-type']);
    if (boundary === null) {
      await body[Symbol.asyncIterator]().return?.();
      throw new MultipartError('the answer is not multipart/mixed');
    }
    // The first part is about the media and says nothing yet.
    const part = await readPart(body, boundary, 1);
    const { location } = part.headers;
    if (location === undefined) return opened(part.headers, part.content);
    await part.content[Symbol.asyncIterator]().return?.();
    return openElsewhere(location);
  }

  async function openUnsigned(wish: RemoteMediaWish): Promise<OpenedMedia> {
    const { serverName, mediaId, timeoutMs } = wish;
    const path = `/_matrix/media/v3/download/${serverName}/${encodeURIComponent(mediaId)}`;
    const { headers, body } = await withHeadIn(headMsMax + timeoutMs, (signal) =>
      federation.open(serverName, {
        method: 'GET',
        uri: `${path}?allow_remote=false&allow_redirect=true&timeout_ms=${timeoutMs}`,
        isSigned: false,
        timeoutMs: bodyMsMax,
        bytesMax,
        redirectsMax,
        signal,
        backOff,
      }),
    );
    return opened(headers, body);
  }

  return async (wish: RemoteMediaWish): Promise<OpenedMedia> => {
    try {
      return await openSigned(wish);
    } catch (error) {
      if (!isUnknownEndpoint(error)) throw error;
      return openUnsigned(wish);
    }
  };
}

export type OpenRemote = ReturnType<typeof createOpenRemote>;
