/** What a parsed response is told to. */
export interface ResponseReader {
  /** `headers` are names and values in turn, as received. */
  head(status: number, headers: string[]): void;
  /** The bytes are valid until the next tick only if the reader does not keep them. */
  body(chunk: Buffer): void;
  end(): void;
}

/** What a worker sent is no HTTP/1.1. */
export class MalformedResponse extends Error {}

/** A worker's headers are far shorter; more would be a mistake that takes memory. */
const headBytesMax = 64 * 1024;
/** A line with the size of a chunk. */
const sizeLineMax = 1024;

const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');
const none = Buffer.alloc(0);

type State = 'head' | 'length' | 'untilClose' | 'size' | 'chunk' | 'chunkEnd' | 'trailers' | 'done';

/**
 * Reads the responses of our own workers, one after the other on a connection. Only what HTTP/1.1
 * allows is taken; anything else throws MalformedResponse and the connection is of no further use.
 */
export class ResponseParser {
  /** False when the connection ends with this response. */
  isKeptAlive = true;
  #state: State = 'done';
  #reader: ResponseReader | null = null;
  #isHead = false;
  /** Bytes of the body or of the chunk that are to come. */
  #left = 0;
  /** The part of a head or line that has arrived. */
  #rest: Buffer = none;

  /** The next response is the answer to a request that was sent; `isHead`: by HEAD. */
  expect(reader: ResponseReader, isHead: boolean): void {
    this.#reader = reader;
    this.#isHead = isHead;
    this.isKeptAlive = true;
    this.#state = 'head';
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** The connection has ended. True when the response is whole by that. */
  close(): boolean {
    if (this.#state !== 'untilClose') return this.#state === 'done';
    this.#finish();
    return true;
  }

  feed(chunk: Buffer): void {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = none;
    while (data.length > 0) {
      const state = this.#state;
      if (state === 'done') throw new MalformedResponse('bytes after the end of a response');
      const next = this.#step(data);
      if (next === null) {
        this.#rest = data;
        return;
      }
      data = next;
    }
  }

  /** Takes what it can; gives what is left, or null when more has to come first. */
  #step(data: Buffer): Buffer | null {
    switch (this.#state) {
      case 'head':
        return this.#readHead(data);
      case 'untilClose':
        this.#reader!.body(data);
        return none;
      case 'length':
      case 'chunk':
        return this.#readBody(data);
      default:
        return this.#readLine(data);
    }
  }

  #readBody(data: Buffer): Buffer {
    const part = data.length > this.#left ? data.subarray(0, this.#left) : data;
    this.#left -= part.length;
    const isChunk = this.#state === 'chunk';
    this.#reader!.body(part);
    if (this.#left === 0) {
      if (isChunk) this.#state = 'chunkEnd';
      else this.#finish();
    }
    return data.subarray(part.length);
  }

  #readLine(data: Buffer): Buffer | null {
    const end = data.indexOf(lineEnd);
    if (end === -1) {
      if (data.length > sizeLineMax) throw new MalformedResponse('a chunk has no size');
      return null;
    }
    const line = data.toString('latin1', 0, end);
    if (this.#state === 'chunkEnd') {
      if (line !== '') throw new MalformedResponse('a chunk is longer than it said');
      this.#state = 'size';
    } else if (this.#state === 'trailers') {
      if (line === '') this.#finish();
    } else {
      const size = /^([0-9a-fA-F]{1,12})(?:[ \t]*;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new MalformedResponse('a chunk has no size');
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    }
    return data.subarray(end + 2);
  }

  #readHead(data: Buffer): Buffer | null {
    const end = data.indexOf(headEnd);
    if (end > headBytesMax || (end === -1 && data.length > headBytesMax)) {
      throw new MalformedResponse('the headers are too long');
    }
    if (end === -1) return null;
    const lines = data.toString('latin1', 0, end).split('\r\n');
    const found = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0] ?? '');
    if (!found) throw new MalformedResponse('no status line');
    const status = Number(found[2]);
    if (status === 101) throw new MalformedResponse('an upgrade that nobody asked for');
    // Interim answers are between the worker and the router.
    if (status >= 200) this.#begin(status, headersOf(lines), found[1] === '0');
    return data.subarray(end + headEnd.length);
  }

  #begin(status: number, headers: string[], isOld: boolean): void {
    let length: number | null = null;
    let isChunked = false;
    let isKept = !isOld;
    for (let i = 0; i < headers.length; i += 2) {
      const value = headers[i + 1]!;
      switch (headers[i]!.toLowerCase()) {
        case 'content-length':
          if (!/^\d{1,15}$/.test(value) || (length !== null && length !== Number(value))) {
            throw new MalformedResponse('a length that is no number');
          }
          length = Number(value);
          break;
        case 'transfer-encoding':
          if (value.toLowerCase() !== 'chunked') throw new MalformedResponse('an unknown coding');
          isChunked = true;
          break;
        case 'connection':
          if (/\bclose\b/i.test(value)) isKept = false;
          break;
        default:
      }
    }
    const hasNoBody = this.#isHead || status === 204 || status === 304;
    if (isChunked && length !== null) throw new MalformedResponse('two lengths');
    if (isChunked && !hasNoBody) this.#state = 'size';
    else if (hasNoBody || length === 0) this.#state = 'length';
    else this.#state = length === null ? 'untilClose' : 'length';
    this.#left = hasNoBody ? 0 : (length ?? 0);
    this.isKeptAlive = isKept && this.#state !== 'untilClose';
    this.#reader!.head(status, headers);
    if (this.#state === 'length' && this.#left === 0) this.#finish();
  }

  #finish(): void {
    const reader = this.#reader!;
    this.#state = 'done';
    this.#reader = null;
    reader.end();
  }
}

function headersOf(lines: readonly string[]): string[] {
  const headers: string[] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(':');
    if (colon < 1) throw new MalformedResponse('a header has no name');
    headers.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}
