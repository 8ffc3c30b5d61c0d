import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** A request whose body is there already: it came from a router, over its link. */
export interface WholeRequest {
  readonly method: string;
  readonly url: string;
  /** Names in lower case, as those of `IncomingMessage`. */
  readonly headers: IncomingHttpHeaders;
  readonly wholeBody: Buffer;
  readonly socket: { readonly remoteAddress?: string };
  readonly complete: true;
  readonly destroyed: boolean;
}

export type HttpRequest = IncomingMessage | WholeRequest;

/** What is used of `ServerResponse`; the answer to a request, however it came. */
export interface HttpResponse {
  readonly req: HttpRequest;
  statusCode: number;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  shouldKeepAlive: boolean;
  writeHead(status: number, headers: OutgoingHttpHeaders): this;
  /** False: wait for `drain`. */
  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  end(chunk?: string | Uint8Array, encoding?: BufferEncoding): unknown;
  destroy(): unknown;
  on(event: 'close' | 'drain' | 'error', listener: () => void): unknown;
  once(event: 'close' | 'drain' | 'error', listener: () => void): unknown;
  off(event: 'close' | 'drain' | 'error', listener: () => void): unknown;
}

/** Whether nothing of the request is still to come. */
export const isWhole = (req: HttpRequest): req is WholeRequest => 'wholeBody' in req;
