import type { Link, LinkedExchange, LinkTaker } from '../link/link.ts';
import { linkHead } from './forwarded-head.ts';
import type { ForwardedRequest, ResponseTaker, UpstreamChannel } from './upstream-channel.ts';

const none = Buffer.alloc(0);

/** A request that goes over a worker's link once all of it is here. */
export class LinkChannel implements UpstreamChannel, LinkTaker {
  readonly isConnected = true;
  readonly #link: Link;
  #taker: ResponseTaker | null = null;
  #request: ForwardedRequest | null = null;
  #body: Buffer[] = [];
  #exchange: LinkedExchange | null = null;

  constructor(link: Link) {
    this.#link = link;
  }

  send(taker: ResponseTaker, request: ForwardedRequest): void {
    this.#taker = taker;
    this.#request = request;
  }

  write(chunk: Buffer): boolean {
    this.#body.push(chunk);
    return true;
  }

  requestSent(): void {
    const request = this.#request;
    if (!request || this.#exchange) return;
    this.#request = null;
    if (!this.#link.isOpen) {
      const error = new Error('the link is closed');
      this.#taker!.failed(error, { isGone: false, nothingSent: true, isCounted: true });
      return;
    }
    const [first = none] = this.#body;
    const body = this.#body.length > 1 ? Buffer.concat(this.#body) : first;
    this.#exchange = this.#link.send(linkHead(request), body, this);
  }

  answer(status: number, headers: string[], body: Buffer): void {
    this.#taker?.answer(status, headers, body);
  }

  head(status: number, headers: string[]): void {
    this.#taker?.head(status, headers);
  }

  body(chunk: Buffer): void {
    this.#taker?.body(chunk);
  }

  end(): void {
    this.#taker?.end();
  }

  failed(error: Error, isShared: boolean): void {
    this.#taker?.failed(error, { isGone: false, nothingSent: false, isCounted: isShared });
  }

  pause(): void {
    this.#exchange?.pause();
  }

  resume(): void {
    this.#exchange?.resume();
  }

  destroy(): void {
    this.#taker = null;
    this.#request = null;
    this.#exchange?.cancel();
  }
}
