import { corsHeaders } from '../http/cors.ts';
import type { HttpRequest, HttpResponse } from '../http/exchange.ts';
import { MatrixError } from '../kernel/errors.ts';
import { isKnown, rangeOf } from './byte-range.ts';
import { contentHeaders, etagOf, type ServedContent } from './content-headers.ts';
import type { SmallContents } from './storage/small-contents.ts';
import type { MediaStore, OpenContent } from './storage/media-store.ts';

export interface ServeNeeds {
  contents: MediaStore;
  small: SmallContents;
}

export interface ServedMedia extends ServedContent {
  bytes: number;
}

export interface RawExchange {
  req: HttpRequest;
  res: HttpResponse;
}

/** Read and sent at once by a download that is among the first; the fewer pieces, the cheaper. */
const largePieceBytes = 1024 * 1024;
/** Downloads at once with large pieces: slow clients may hold theirs for long. */
const largePiecesMax = 16;
/** Read and sent at once by every further download. */
const smallPieceBytes = 64 * 1024;

/** Large buffers that no download uses. */
const free: Buffer[] = [];
let largeMade = 0;

function takeBuffer(): Buffer {
  const kept = free.pop();
  if (kept) return kept;
  if (largeMade === largePiecesMax) return Buffer.allocUnsafeSlow(smallPieceBytes);
  largeMade++;
  return Buffer.allocUnsafeSlow(largePieceBytes);
}

/** A connection that broke may still hold its buffer. */
function giveBack(buffer: Buffer, isHeld: boolean): void {
  if (buffer.length < largePieceBytes) return;
  if (isHeld) largeMade--;
  else free.push(buffer);
}

/** True when the client took it, false when it is gone. */
function write(res: HttpResponse, piece: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = () => resolve(false);
    res.once('close', gone);
    res.write(piece, (error) => {
      res.off('close', gone);
      resolve(!error);
    });
  });
}

/** Sends a content in pieces of one buffer. False: the client is gone. */
export async function copyContent(
  content: OpenContent,
  res: HttpResponse,
  bytes: number,
): Promise<boolean> {
  const buffer = takeBuffer();
  let left = bytes;
  let isTaken = !res.destroyed;
  try {
    while (left > 0 && isTaken) {
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      const read = await content.read(left < buffer.length ? buffer.subarray(0, left) : buffer);
      if (read === 0) throw new Error('a content is shorter than it should be');
      left -= read;
      // oxlint-disable-next-line no-await-in-loop
      isTaken = await write(res, buffer.subarray(0, read));
    }
    return isTaken;
  } finally {
    giveBack(buffer, !isTaken);
  }
}

export const missing = () => new MatrixError('M_NOT_FOUND', 'The content of this media is lost');

/** Answers with a content, or with the part of it that is asked for. */
export async function serveContent(
  { contents, small }: ServeNeeds,
  { req, res }: RawExchange,
  media: ServedMedia,
  requestId: string,
): Promise<void> {
  const { sha256, bytes } = media;
  const etag = etagOf(sha256);
  const headers = { ...corsHeaders, ...contentHeaders(media), 'X-Request-Id': requestId };
  if (isKnown(req.headers, etag)) {
    res.writeHead(304, headers).end();
    return;
  }
  const asked = rangeOf(req.headers, bytes, etag);
  if (asked === 'unsatisfiable') {
    const refused = { ...corsHeaders, 'Content-Range': `bytes */${bytes}`, 'Content-Length': 0 };
    res.writeHead(416, refused).end();
    return;
  }
  const range = asked ?? { start: 0, end: bytes - 1 };
  const length = range.end + 1 - range.start;
  const begin = () =>
    res.writeHead(asked ? 206 : 200, {
      ...headers,
      'Content-Length': length,
      ...(asked ? { 'Content-Range': `bytes ${range.start}-${range.end}/${bytes}` } : {}),
    });
  if (small.isSmall(bytes)) {
    const whole = await small.read(sha256, bytes);
    if (whole === null) throw missing();
    begin().end(asked ? whole.subarray(range.start, range.end + 1) : whole);
    return;
  }
  const content = await contents.open(sha256, range);
  if (content === null) throw missing();
  try {
    begin();
    if (req.method === 'HEAD') res.end();
    else if (await copyContent(content, res, length)) res.end();
  } finally {
    content.close();
  }
}
