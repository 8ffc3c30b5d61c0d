import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Placement } from '../routing/classify.ts';
import type { Upstream } from '../routing/upstream.ts';
import { closeAfterBody } from '../http/close-after-body.ts';
import { answerFailure } from './answer-failure.ts';
import { bodyBytesMax } from '../link/frames.ts';
import { framingOf, responseHeaders, type BodyFraming } from './forwarded-head.ts';
import { RequestBody } from './request-body.ts';
import type { Placed } from './under-way.ts';
import type {
  Failure,
  ForwardedRequest,
  ResponseTaker,
  UpstreamChannel,
} from './upstream-channel.ts';

/** What exchanges ask of the router. */
export interface ExchangeNeeds {
  /** Milliseconds of a steady clock. */
  now: () => number;
  pick(placement: Placement, tried: ReadonlySet<Upstream>): Upstream | null;
  /** `isShort`: of the request and, as a rule, of its answer there is little. */
  connect(upstream: Upstream, isShort: boolean): UpstreamChannel | null;
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

/** Whether all of a request fits into one frame of a link. */
function isShort({ headers }: IncomingMessage, framing: BodyFraming): boolean {
  return (
    framing === 'none' ||
    (framing === 'length' && Number(headers['content-length']) <= bodyBytesMax)
  );
}

/** One request on its way to a worker and back. */
export class Exchange implements ResponseTaker, Placed {
  readonly placement: Placement;
  readonly beganAtMs: number;
  /** Past this time it is given up; milliseconds of the steady clock. */
  deadlineMs: number;
  upstream: Upstream | null = null;
  place = -1;
  readonly #res: ServerResponse;
  readonly #needs: ExchangeNeeds;
  readonly #limits: ExchangeLimits;
  readonly #request: ForwardedRequest;
  readonly #isShort: boolean;
  readonly #body: RequestBody;
  readonly #answerMs: number;
  readonly #tried = new Set<Upstream>();
  #channel: UpstreamChannel | null = null;
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
    this.#res = res;
    this.placement = placement;
    this.#needs = needs;
    this.#limits = limits;
    const framing = framingOf(req);
    const isSecure = 'encrypted' in req.socket;
    this.#request = { req, framing, isForwarded: options.isForwarded, isSecure };
    this.#isShort = placement.group !== 'media' && isShort(req, framing);
    this.#body = new RequestBody(req, framing, () => this.#progress());
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
    const channel = connect(upstream, this.#isShort);
    if (!channel) {
      this.attempt();
      return;
    }
    this.upstream = upstream;
    upstream.pending++;
    this.#channel = channel;
    channel.send(this, this.#request);
    // The body waits for the connection: until then nothing of it is lost.
    if (channel.isConnected) this.#body.sendTo(channel);
  }

  connected(): void {
    if (!this.#isOver) this.#body.sendTo(this.#channel!);
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
    const channel = this.#channel!;
    channel.pause();
    this.#res.once('drain', () => {
      this.#isDraining = false;
      this.#progress();
      if (!this.#isOver) channel.resume();
    });
  }

  answer(status: number, headers: string[], body: Buffer): void {
    if (this.#isOver) return;
    this.upstream!.succeeded();
    const kept = responseHeaders(headers);
    if (this.#needs.isClosing) kept.push('Connection', 'close');
    this.#res.writeHead(status, kept);
    this.#over(status);
    // As text it is sent together with the head; latin1 keeps the bytes as they are.
    if (body.length > joinedBytesMax) this.#res.end(body);
    else this.#res.end(body.toString('latin1'), 'latin1');
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

  failed(error: Error, { isGone, nothingSent, isCounted }: Failure): void {
    if (this.#isOver) return;
    const upstream = this.upstream!;
    if (!isCounted) this.#needs.failed(upstream, error, isGone);
    if (this.#res.headersSent) {
      this.#over(this.#res.statusCode);
      this.#res.destroy();
      return;
    }
    upstream.pending--;
    this.upstream = null;
    this.#channel = null;
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
    this.#channel?.destroy();
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
    this.#channel?.destroy();
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
    this.#channel?.destroy();
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
