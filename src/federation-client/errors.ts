import type { JsonObject } from '../matrix/pdu.ts';

/** Why a request to another server came to nothing. */
export type FederationFailure =
  /** The name is none, or not one of those that may be contacted. */
  | 'denied'
  /** It did not answer lately and is left alone for a while. */
  | 'backing_off'
  /** Its address may not be contacted. */
  | 'blocked'
  /** No address, no connection, no valid certificate, or broken off. */
  | 'unreachable'
  | 'timeout'
  | 'too_large'
  /** It answered 200, but not with a JSON object. */
  | 'bad_answer'
  /** It answered with another status than 200. */
  | 'refused';

/** A request to another server that has no good answer. */
export class FederationError extends Error {
  readonly reason: FederationFailure;
  readonly destination: string;
  /** What the server said, when `refused`; the body is null where it is no JSON object. */
  readonly answer: { status: number; body: JsonObject | null } | null;

  constructor(
    reason: FederationFailure,
    destination: string,
    message: string,
    more: { answer?: { status: number; body: JsonObject | null }; cause?: unknown } = {},
  ) {
    super(
      `${destination}: ${message}`,
      more.cause === undefined ? undefined : { cause: more.cause },
    );
    this.name = 'FederationError';
    this.reason = reason;
    this.destination = destination;
    this.answer = more.answer ?? null;
  }
}
