import { MatrixError } from '../kernel/errors.ts';
import { isWhole, type HttpRequest } from './exchange.ts';

/** The client went away before its request was whole. */
export class ClientGone extends Error {
  constructor() {
    super('the client went away');
    this.name = 'ClientGone';
  }
}

function tooLarge(bytesMax: number): MatrixError {
  return new MatrixError('M_TOO_LARGE', `The request body may have at most ${bytesMax} bytes`);
}

/** Reads a whole body. Rejects with M_TOO_LARGE, or ClientGone. */
export function readBody(req: HttpRequest, bytesMax: number): Promise<Buffer> {
  if (isWhole(req)) {
    const { wholeBody } = req;
    if (wholeBody.length > bytesMax) return Promise.reject(tooLarge(bytesMax));
    return Promise.resolve(wholeBody);
  }
  const announced = Number(req.headers['content-length'] ?? 0);
  if (announced > bytesMax) return Promise.reject(tooLarge(bytesMax));
  // It went away while something else was waited for: no event will come any more.
  if (req.destroyed) return Promise.reject(new ClientGone());
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        chunks = [];
        reject(tooLarge(bytesMax));
        return;
      }
      chunks.push(chunk);
    });
    let hasEnded = false;
    req.on('end', () => {
      hasEnded = true;
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    req.on('error', () => reject(new ClientGone()));
    req.on('close', () => {
      if (!hasEnded) reject(new ClientGone());
    });
  });
}

/** Deeper JSON is refused: it is never meant well. */
const depthMax = 200;

function isTooDeep(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  for (const key in value) {
    if (isTooDeep((value as Record<string, unknown>)[key], left - 1)) return true;
  }
  return false;
}

/** Whether a text opens so many brackets that it could be too deep; most do not. */
function mayBeTooDeep(text: string): boolean {
  let left = depthMax;
  for (const bracket of ['{', '[']) {
    let at = text.indexOf(bracket);
    while (at !== -1) {
      if (--left < 0) return true;
      at = text.indexOf(bracket, at + 1);
    }
  }
  return false;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A body as a JSON object. Throws M_NOT_JSON, M_BAD_JSON. */
export function parseJsonObject(body: Buffer): Record<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = decoder.decode(body);
    value = JSON.parse(text);
  } catch {
    throw new MatrixError('M_NOT_JSON', 'Content not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MatrixError('M_BAD_JSON', 'Content must be a JSON object.');
  }
  if (mayBeTooDeep(text) && isTooDeep(value, depthMax)) {
    throw new MatrixError('M_BAD_JSON', `JSON may be at most ${depthMax} levels deep`);
  }
  return value as Record<string, unknown>;
}
