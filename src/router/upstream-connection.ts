import { connect, type Socket } from 'node:net';
import type { UpstreamAddress } from '../routing/upstream.ts';
import { requestHead } from './forwarded-head.ts';
import { MalformedResponse, ResponseParser } from './response-parser.ts';
import type { ForwardedRequest, ResponseTaker, UpstreamChannel } from './upstream-channel.ts';

/** A connection to a worker on the same machine or in the same data centre is made by then. */
const connectTimeoutMs = 3_000;

/** Heads and bodies that are together shorter than this are worth a copy. */
const joinedBytesMax = 16 * 1024;

/** One HTTP connection to a worker, for one request at a time. */
export class UpstreamConnection implements UpstreamChannel {
  /** When it became idle. */
  idleSinceMs = 0;
  readonly #socket: Socket;
  readonly #parser = new ResponseParser();
  readonly #idle: (connection: UpstreamConnection) => void;
  readonly #closed: (connection: UpstreamConnection) => void;
  #taker: ResponseTaker | null = null;
  /** Waits for the beginning of the body. */
  #head: string | null = null;
  #isConnected = false;
  #isRequestSent = false;
  #isPaused = false;
  #error: Error | null = null;

  /** `idle`: may be used again. `closed`: is of no further use. */
  constructor(
    address: UpstreamAddress,
    idle: (connection: UpstreamConnection) => void,
    closed: (connection: UpstreamConnection) => void,
  ) {
    this.#idle = idle;
    this.#closed = closed;
    const at = 'socketPath' in address ? { path: address.socketPath } : address;
    const socket = connect({ ...at, noDelay: true, keepAlive: true });
    this.#socket = socket;
    socket.setTimeout(connectTimeoutMs, () => socket.destroy(new Error('no connection in time')));
    socket.on('connect', () => {
      this.#isConnected = true;
      socket.setTimeout(0);
      this.#taker?.connected();
    });
    socket.on('data', (chunk) => this.#read(chunk as Buffer));
    socket.on('drain', () => this.#taker?.drained());
    socket.on('error', (error) => (this.#error = error));
    socket.on('end', () => {
      if (this.#taker && this.#parser.close()) this.#release(false);
    });
    socket.on('close', () => this.#onClose());
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** False: the worker has closed it, or is closing it. */
  get isOpen(): boolean {
    return this.#socket.writable && !this.#socket.readableEnded;
  }

  send(taker: ResponseTaker, request: ForwardedRequest): void {
    this.#taker = taker;
    this.#isRequestSent = false;
    this.#parser.expect(taker, request.req.method === 'HEAD');
    this.#head = requestHead(request);
    // A small body that has arrived is told of in the tick after the next, and goes with the head.
    process.nextTick(nextTick, flush, this);
  }

  write(chunk: Buffer | string): boolean {
    const head = this.#head;
    if (head === null || typeof chunk === 'string' || chunk.length > joinedBytesMax) {
      this.flush();
      return this.#socket.write(chunk);
    }
    this.#head = null;
    const whole = Buffer.allocUnsafe(head.length + chunk.length);
    whole.write(head, 0, 'latin1');
    chunk.copy(whole, head.length);
    return this.#socket.write(whole);
  }

  /** Sends the head if that is still to be done. */
  flush(): void {
    if (this.#head === null) return;
    this.#socket.write(this.#head, 'latin1');
    this.#head = null;
  }

  requestSent(): void {
    this.flush();
    this.#isRequestSent = true;
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  destroy(): void {
    this.#taker = null;
    this.#head = null;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    try {
      if (!this.#taker) throw new MalformedResponse('an answer to no request');
      this.#parser.feed(chunk);
    } catch (error) {
      // Not only what is malformed: a header may have characters that Node.js does not send on.
      this.#socket.destroy(error as Error);
      return;
    }
    // An answer that came before the end of the request: the rest of the request is not wanted.
    if (this.#parser.isDone && this.#taker) {
      this.#release(this.#isRequestSent && this.#parser.isKeptAlive);
    }
  }

  #release(isReusable: boolean): void {
    this.#taker = null;
    this.resume();
    if (isReusable && !this.#socket.destroyed) this.#idle(this);
    else this.#socket.destroy();
  }

  #onClose(): void {
    const taker = this.#taker;
    this.#taker = null;
    this.#closed(this);
    const isGone = !this.#isConnected;
    const error = this.#error ?? new Error('the worker closed the connection');
    taker?.failed(error, { isGone, nothingSent: isGone, isCounted: false });
  }
}

const { nextTick } = process;
const flush = (connection: UpstreamConnection) => connection.flush();
