import { EventEmitter } from 'node:events';
import { validateHeaderName, validateHeaderValue, type OutgoingHttpHeaders } from 'node:http';
import type { HttpResponse, WholeRequest } from '../http/exchange.ts';
import { bodyBytesMax, headBytesMax, kinds, type FrameBody, type FrameWriter } from './frames.ts';

/** Bytes of one answer that may be on their way to the router and its client. */
export const windowBytes = 256 * 1024;

const none = Buffer.alloc(0);

/** Throws for what HTTP does not have: the router could not send it, and this request is to be told. */
function headOf(status: number, headers: OutgoingHttpHeaders): string {
  const flat: (string | number)[] = [status];
  const add = (name: string, value: string) => {
    validateHeaderValue(name, value);
    flat.push(name, value);
  };
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    validateHeaderName(name);
    if (Array.isArray(value)) for (const one of value) add(name, one);
    else add(name, String(value));
  }
  const head = JSON.stringify(flat);
  // A character has two bytes at most.
  if (head.length * 2 > headBytesMax) throw new Error('the headers are too long');
  return head;
}

const bytesOf = (chunk: string | Uint8Array): Buffer =>
  typeof chunk === 'string'
    ? Buffer.from(chunk)
    : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);

const hasNoBody = (method: string, status: number) =>
  method === 'HEAD' || status === 204 || status === 304;

/**
 * The answer to a request that came over a link. A short one is one frame; of a long one no more
 * than a window is under way, so that a slow client holds up nobody else.
 */
export class LinkedResponse extends EventEmitter implements HttpResponse {
  readonly req: WholeRequest;
  statusCode = 200;
  shouldKeepAlive = true;
  headersSent = false;
  destroyed = false;
  readonly #exchange: number;
  readonly #frames: FrameWriter;
  readonly #over: () => void;
  #head: string | null = null;
  #isHeadSent = false;
  #hasEnded = false;
  #credit = windowBytes;
  #waiting: Buffer[] = [];
  #written: ((error?: Error | null) => void)[] = [];

  /** `over`: nothing more is written or expected. */
  constructor(req: WholeRequest, exchange: number, frames: FrameWriter, over: () => void) {
    super();
    this.req = req;
    this.#exchange = exchange;
    this.#frames = frames;
    this.#over = over;
  }

  writeHead(status: number, headers: OutgoingHttpHeaders): this {
    if (this.headersSent) throw new Error('the head was written before');
    this.#head = headOf(status, headers);
    this.statusCode = status;
    this.headersSent = true;
    return this;
  }

  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
    if (this.destroyed || this.#hasEnded) {
      done?.(new Error('the answer is over'));
      return false;
    }
    this.#sendHead();
    if (!hasNoBody(this.req.method, this.statusCode)) this.#queue(bytesOf(chunk));
    const isTaken = this.#waiting.length === 0;
    if (done && isTaken) process.nextTick(done, null);
    else if (done) this.#written.push(done);
    return isTaken && this.#credit > 0;
  }

  end(chunk?: string | Uint8Array, encoding: BufferEncoding = 'utf8'): void {
    if (this.destroyed || this.#hasEnded) return;
    this.#hasEnded = true;
    if (!this.headersSent) this.writeHead(this.statusCode, {});
    const isEmpty = chunk === undefined || hasNoBody(this.req.method, this.statusCode);
    if (!this.#isHeadSent && (isEmpty || chunk.length <= bodyBytesMax / 4)) {
      this.#frames.write(
        kinds.answer,
        this.#exchange,
        this.#head!,
        isEmpty ? none : shortBody(chunk, encoding),
      );
      this.#finish();
      return;
    }
    this.#sendHead();
    if (!isEmpty) this.#queue(bytesOf(chunk));
    if (this.#waiting.length === 0) this.#sendEnd();
  }

  /** So many bytes more may be sent. */
  credit(bytes: number): void {
    const wasFull = this.#credit <= 0;
    this.#credit += bytes;
    const hadWaiting = this.#waiting.length > 0;
    this.#send();
    if (this.#waiting.length > 0) return;
    for (const done of this.#written.splice(0)) done();
    // Who was told may have ended the answer.
    if (this.destroyed) return;
    if (this.#hasEnded && hadWaiting) this.#sendEnd();
    else if (wasFull && this.#credit > 0) this.emit('drain');
  }

  /** Breaks the answer off. */
  destroy(): void {
    if (this.destroyed) return;
    if (!this.#hasEnded || this.#waiting.length > 0)
      this.#frames.write(kinds.abort, this.#exchange);
    this.cancelled();
  }

  /** The router does not wait any more. */
  cancelled(): void {
    if (this.destroyed) return;
    this.#waiting = [];
    for (const done of this.#written.splice(0)) done(new Error('the client is gone'));
    this.#finish();
  }

  #sendHead(): void {
    if (this.#isHeadSent) return;
    if (!this.headersSent) this.writeHead(this.statusCode, {});
    this.#isHeadSent = true;
    this.#frames.write(kinds.head, this.#exchange, this.#head!);
  }

  #queue(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += bodyBytesMax) {
      this.#waiting.push(bytes.subarray(at, at + bodyBytesMax));
    }
    this.#send();
  }

  #send(): void {
    let sent = 0;
    while (sent < this.#waiting.length && this.#credit > 0) {
      const piece = this.#waiting[sent++]!;
      this.#credit -= piece.length;
      this.#frames.write(kinds.data, this.#exchange, '', piece);
    }
    if (sent > 0) this.#waiting.splice(0, sent);
  }

  #sendEnd(): void {
    this.#frames.write(kinds.end, this.#exchange);
    this.#finish();
  }

  #finish(): void {
    this.destroyed = true;
    this.#over();
    this.emit('close');
  }
}

/** Text with a byte for each character is copied, not encoded. */
const shortBody = (chunk: string | Uint8Array, encoding: BufferEncoding): FrameBody =>
  typeof chunk === 'string'
    ? { text: chunk, encoding: encoding === 'latin1' ? 'latin1' : 'utf8' }
    : bytesOf(chunk);
