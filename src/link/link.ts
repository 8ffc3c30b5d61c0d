import { connect, type Socket } from 'node:net';
import { connectionOptions } from '../cluster/rpc/address.ts';
import { offerLink } from '../cluster/rpc/offer-link.ts';
import { frameWriter, readFrames, kinds, type Frame, type FrameWriter } from './frames.ts';
import { watchPeer } from './watch-peer.ts';

/** Takes the answer to one request. */
export interface LinkTaker {
  /** All of an answer at once; `headers` are names and values in turn. */
  answer(status: number, headers: string[], body: Buffer): void;
  /** The head of an answer whose body follows. */
  head(status: number, headers: string[]): void;
  body(chunk: Buffer): void;
  end(): void;
  /**
   * There will be no (further) answer. `isShared`: what ended it has ended another request too, which
   * was told first.
   */
  failed(error: Error, isShared: boolean): void;
}

/** One request under way. */
export interface LinkedExchange {
  /** The client does not keep up. */
  pause(): void;
  resume(): void;
  /** Gives up; nothing is told any more. */
  cancel(): void;
}

/** Bytes that are passed on before the worker is told. */
const creditBytes = 64 * 1024;
const connectTimeoutMs = 3_000;
/** What waits for a worker that does not read, or is stopped, takes memory here. */
const waitingBytesMax = 4 * 1024 * 1024;
const fourBytes = 4;
const idMax = 2 ** 32 - 1;

class Pending implements LinkedExchange {
  readonly taker: LinkTaker;
  readonly #id: number;
  readonly #frames: FrameWriter;
  readonly #forget: (id: number) => void;
  #owed = 0;
  #isPaused = false;

  constructor(id: number, taker: LinkTaker, frames: FrameWriter, forget: (id: number) => void) {
    this.#id = id;
    this.taker = taker;
    this.#frames = frames;
    this.#forget = forget;
  }

  pass(chunk: Buffer): void {
    this.#owed += chunk.length;
    this.taker.body(chunk);
    this.#pay();
  }

  #pay(): void {
    if (this.#isPaused || this.#owed < creditBytes) return;
    const body = Buffer.allocUnsafe(fourBytes);
    body.writeUInt32BE(this.#owed, 0);
    this.#owed = 0;
    this.#frames.write(kinds.credit, this.#id, '', body);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#pay();
  }

  cancel(): void {
    this.#frames.write(kinds.cancel, this.#id);
    this.#forget(this.#id);
  }
}

/**
 * A router's connection to one worker, for all requests whose bodies are short: they and their
 * answers are frames, and those of one turn of the event loop leave together. What HTTP costs twice,
 * once before the router and once behind it, is so paid once.
 */
export class Link {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #closed: (link: Link) => void;
  #frames: FrameWriter | null = null;
  #last = 0;
  #isLeaving = false;

  /** `closed`: it is of no further use, perhaps never was. */
  constructor(address: string, secret: string, closed: (link: Link) => void) {
    this.#closed = closed;
    const socket = connect({ ...connectionOptions(address), noDelay: true });
    this.#socket = socket;
    socket.setTimeout(connectTimeoutMs, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
    offerLink(socket, secret, () => this.#open());
  }

  /** Requests can be sent. */
  get isOpen(): boolean {
    return this.#frames !== null && !this.#isLeaving && !this.#socket.destroyed;
  }

  /** The worker does not keep up with what it is sent: for now it is to get no more here. */
  get isBehind(): boolean {
    return this.#frames !== null && this.#frames.waitingBytes > waitingBytesMax;
  }

  #open(): void {
    const socket = this.#socket;
    socket.setTimeout(0);
    this.#frames = frameWriter(socket);
    readFrames(socket, (frame) => this.#take(frame));
    watchPeer(socket, this.#frames);
  }

  /** Sends a request; `head` is JSON: `[method, url, headers]`. */
  send(head: string, body: Buffer, taker: LinkTaker): LinkedExchange {
    const id = (this.#last = this.#last === idMax ? 1 : this.#last + 1);
    const pending = new Pending(id, taker, this.#frames!, this.#forget);
    this.#pending.set(id, pending);
    this.#frames!.write(kinds.request, id, head, body);
    return pending;
  }

  readonly #forget = (id: number): void => {
    this.#pending.delete(id);
    if (this.#isLeaving && this.#pending.size === 0) this.#socket.end();
  };

  #take(frame: Frame): void {
    if (frame.kind === kinds.beat) return;
    if (frame.kind === kinds.goAway) {
      this.leave();
      return;
    }
    const pending = this.#pending.get(frame.exchange);
    // Given up meanwhile.
    if (!pending) return;
    try {
      this.#tell(pending, frame);
    } catch (error) {
      // What cannot be passed on concerns no other request.
      pending.cancel();
      pending.taker.failed(error as Error, false);
    }
  }

  #tell(pending: Pending, { kind, exchange, head, body }: Frame): void {
    const { taker } = pending;
    if (kind === kinds.data) {
      pending.pass(body);
      return;
    }
    if (kind !== kinds.head) this.#forget(exchange);
    if (kind === kinds.end) taker.end();
    else if (kind === kinds.abort)
      taker.failed(new Error('the worker broke its answer off'), false);
    else {
      const [status, ...headers] = JSON.parse(head) as [number, ...string[]];
      if (kind === kinds.answer) taker.answer(status, headers, body);
      else taker.head(status, headers);
    }
  }

  /** Sends nothing more, and closes when all is answered. */
  leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (this.#pending.size === 0) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onClose(): void {
    const left = [...this.#pending.values()];
    this.#pending.clear();
    this.#closed(this);
    const error = new Error('the worker closed the link');
    left.forEach(({ taker }, i) => taker.failed(error, i > 0));
  }
}
