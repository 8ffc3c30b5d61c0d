import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Placement } from '../routing/classify.ts';
import type { Upstream } from '../routing/upstream.ts';
import { closeAfterBody } from '../http/close-after-body.ts';
import { answerFailure } from './answer-failure.ts';
import { framingOf, requestHead, responseHeaders, type BodyFraming } from './forwarded-head.ts';
import { RequestBody } from './request-body.ts';
import type { Placed } from './under-way.ts';
import type { ResponseTaker, UpstreamConnection } from './upstream-connection.ts';

/** What exchanges ask of the router. */
export interface ExchangeNeeds {
  /** Milliseconds of a steady clock. */
  now: () => number;
  pick(placement: Placement, tried: ReadonlySet<Upstream>): Upstream | null;
  connect(upstream: Upstream): UpstreamConnection | null;
  /** A worker did not answer. */
  failed(upstream: Upstream, error: Error, isGone: boolean): void;
  retried(placement: Placement): void;
  /** The exchange is over. `status` is what the client saw; 499 when it went away before that. */
  ended(exchange: Exchange, status: number): void;
  readonly isClosing: boolean;
}

export interface ExchangeLimits {
  /** From the request to the head of the answer, beyond what a long poll asks for. */
  answerTimeoutMs: number;
  /** Without any progress in the answer or the request. */
  stallTimeoutMs: number;
  /** Workers that are tried for one request. */
  attemptsMax: number;
}

/** Bodies that are shorter than this are worth a copy. */
const joinedBytesMax = 16 * 1024;
/** As nginx logs requests whose client went away. */
const clientGone = 499;

/** One request on its way to a worker and back. */
export class Exchange implements ResponseTaker, Placed {
  readonly placement: Placement;
  readonly beganAtMs: number;
  /** Past this time it is given up; milliseconds of the steady clock. */
  deadlineMs: number;
  upstream: Upstream | null = null;
  place = -1;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #needs: ExchangeNeeds;
  readonly #limits: ExchangeLimits;
  readonly #framing: BodyFraming;
  readonly #body: RequestBody;
  readonly #isForwarded: boolean;
  readonly #answerMs: number;
  readonly #tried = new Set<Upstream>();
  #connection: UpstreamConnection | null = null;
  #isWaitingForConnection = false;
  #isOver = false;
  #isDraining = false;
  #isBegun = false;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    placement: Placement,
    options: { isForwarded: boolean; pollMs: number },
    limits: ExchangeLimits,
    needs: ExchangeNeeds,
  ) {
    this.#req = req;
    this.#res = res;
    this.placement = placement;
    this.#needs = needs;
    this.#limits = limits;
    this.#isForwarded = options.isForwarded;
    this.#framing = framingOf(req);
    this.#body = new RequestBody(req, this.#framing, () => this.#progress());
    this.beganAtMs = needs.now();
    this.#answerMs = limits.answerTimeoutMs + options.pollMs;
    this.deadlineMs = this.beganAtMs + this.#answerMs;
    res.on('close', () => this.#clientClosed());
    res.on('error', nothing);
    req.on('error', nothing);
  }

  /** Sends the request to a worker that was not tried yet. */
  attempt(): void {
    const { pick, connect } = this.#needs;
    const isSpent = this.#tried.size >= this.#limits.attemptsMax;
    const upstream = isSpent ? null : pick(this.placement, this.#tried);
    if (!upstream) {
      this.#fail(this.#tried.size > 0 ? 502 : 503);
      return;
    }
    this.#tried.add(upstream);
    const connection = connect(upstream);
    if (!connection) {
      this.attempt();
      return;
    }
    this.upstream = upstream;
    upstream.pending++;
    this.#connection = connection;
    const isSecure = 'encrypted' in this.#req.socket;
    const head = requestHead(this.#req, this.#framing, this.#isForwarded, isSecure);
    connection.send(this, head, this.#req.method === 'HEAD');
    // The body waits for the connection: until then nothing of it is lost.
    this.#isWaitingForConnection = !connection.isConnected;
    if (!this.#isWaitingForConnection) this.#body.sendTo(connection);
  }

  connected(): void {
    this.#isWaitingForConnection = false;
    if (!this.#isOver) this.#body.sendTo(this.#connection!);
  }

  drained(): void {
    this.#progress();
    if (!this.#isOver) this.#body.drained();
  }

  head(status: number, headers: string[]): void {
    if (this.#isOver) return;
    this.upstream!.succeeded();
    this.#body.forget();
    this.#progress();
    const kept = responseHeaders(headers);
    // What the worker does not want to read need not be read here.
    if (this.#needs.isClosing || !this.#body.isComplete) kept.push('Connection', 'close');
    this.#res.writeHead(status, kept);
  }

  body(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#progress();
    if (this.#write(chunk) || this.#isDraining) return;
    this.#isDraining = true;
    const connection = this.#connection!;
    connection.pause();
    this.#res.once('drain', () => {
      this.#isDraining = false;
      this.#progress();
      if (!this.#isOver) connection.resume();
    });
  }

  /** As text a small body is sent together with the head; latin1 keeps the bytes as they are. */
  #write(chunk: Buffer): boolean {
    if (this.#isBegun || chunk.length > joinedBytesMax) return this.#res.write(chunk);
    this.#isBegun = true;
    return this.#res.write(chunk.toString('latin1'), 'latin1');
  }

  end(): void {
    if (this.#isOver) return;
    this.#over(this.#res.statusCode);
    this.#body.detach();
    if (this.#body.isComplete) {
      this.#res.end();
    } else {
      this.#res.flushHeaders();
      closeAfterBody(this.#res, '');
    }
  }

  failed(error: Error, isGone: boolean): void {
    if (this.#isOver) return;
    const upstream = this.upstream!;
    this.#needs.failed(upstream, error, isGone);
    if (this.#res.headersSent) {
      this.#over(this.#res.statusCode);
      this.#res.destroy();
      return;
    }
    upstream.pending--;
    this.upstream = null;
    this.#connection = null;
    const nothingSent = isGone && this.#isWaitingForConnection;
    if (!nothingSent && !(this.placement.isRepeatable && this.#body.isReplayable)) {
      this.#fail(502);
      return;
    }
    this.#body.detach();
    this.#needs.retried(this.placement);
    this.attempt();
  }

  /** Nothing has happened for too long. */
  timeOut(): void {
    if (this.#isOver) return;
    this.#connection?.destroy();
    if (this.#res.headersSent) {
      this.#over(this.#res.statusCode);
      this.#res.destroy();
      return;
    }
    this.#fail(504);
  }

  /** Something is wrong with the router itself. */
  giveUp(): void {
    if (this.#isOver) return;
    this.#connection?.destroy();
    if (this.#res.headersSent) this.#res.destroy();
    else this.#fail(502);
  }

  #fail(status: 502 | 503 | 504): void {
    this.#over(status);
    this.#body.detach();
    answerFailure(this.#res, status);
  }

  #clientClosed(): void {
    if (this.#isOver) return;
    this.#connection?.destroy();
    this.#over(clientGone);
  }

  #progress(): void {
    const { headersSent } = this.#res;
    this.deadlineMs =
      this.#needs.now() + (headersSent ? this.#limits.stallTimeoutMs : this.#answerMs);
  }

  #over(status: number): void {
    this.#isOver = true;
    if (this.upstream) this.upstream.pending--;
    this.#needs.ended(this, status);
  }
}

const nothing = () => undefined;
