import type { IncomingMessage } from 'node:http';
import type { BodyFraming } from './forwarded-head.ts';
import type { ResponseReader } from './response-parser.ts';

/** A request as it is to be sent on. */
export interface ForwardedRequest {
  req: IncomingMessage;
  framing: BodyFraming;
  /** The listener is behind a proxy, whose `X-Forwarded-*` headers are believed and continued. */
  isForwarded: boolean;
  isSecure: boolean;
}

export interface Failure {
  /** The worker does not take connections. */
  isGone: boolean;
  /** The request has not reached it. */
  nothingSent: boolean;
  /** It has been counted against the worker with another request, which failed for the same reason. */
  isCounted: boolean;
}

/** Takes a worker's answer to one request: in parts, or all at once. */
export interface ResponseTaker extends ResponseReader {
  /** A whole answer; `headers` are names and values in turn. */
  answer(status: number, headers: string[], body: Buffer): void;
  /** More of the request's body may be written. */
  drained(): void;
  /** The connection is there; before that nothing was sent. Not called for one that was used before. */
  connected(): void;
  /** There will be no (further) answer. */
  failed(error: Error, failure: Failure): void;
}

/** A way to a worker for one request. */
export interface UpstreamChannel {
  /** False: `connected` will be called. */
  readonly isConnected: boolean;
  /** Begins a request; its body follows by `write`. */
  send(taker: ResponseTaker, request: ForwardedRequest): void;
  /** False: wait until `drained`. */
  write(chunk: Buffer | string): boolean;
  /** The request is whole. */
  requestSent(): void;
  /** The client does not keep up. */
  pause(): void;
  resume(): void;
  /** Gives up: the worker notices that nobody waits any more. Nothing is told to the taker. */
  destroy(): void;
}
