/** Why a request to elsewhere failed. */
export type OutboundFailure =
  /** The URL is none, or not of `http:` or `https:`. */
  | 'bad_url'
  /** The address or the URL may not be contacted. */
  | 'blocked'
  /** No such name, no connection, no TLS, or broken off. */
  | 'unreachable'
  | 'timeout'
  | 'too_large'
  | 'too_many_redirects';

/** A request to elsewhere that has no answer. An answer with an error status is an answer. */
export class OutboundError extends Error {
  readonly reason: OutboundFailure;
  constructor(reason: OutboundFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OutboundError';
    this.reason = reason;
  }
}
