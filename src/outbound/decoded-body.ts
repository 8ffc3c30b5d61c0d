import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

/** What is asked for in `Accept-Encoding`. */
export const acceptedEncodings = 'gzip, deflate, br';

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** The body of an answer without its compression. */
export function decodedBody(message: IncomingMessage): Readable {
  const create = decoders[message.headers['content-encoding']?.trim().toLowerCase() ?? ''];
  if (!create) return message;
  // Errors come out of the reading of the last stream.
  return pipeline(message, create(), () => undefined);
}
