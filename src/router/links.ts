import { Link } from '../link/link.ts';
import type { Upstream } from '../routing/upstream.ts';
import { LinkChannel } from './link-channel.ts';

/** A worker that could not be linked is reached by HTTP alone for so long. */
const retryMs = 1_000;

interface Kept {
  address: string;
  link: Link | null;
  /** When to try again. */
  retryAtMs: number;
}

/** One link to each worker that has them, beside its HTTP connections. */
export class Links {
  readonly #now: () => number;
  readonly #secret: string | null;
  readonly #kept = new Map<Upstream, Kept>();

  /** `secret`: what processes of the server prove themselves with; null: there are no links. */
  constructor(now: () => number, secret: string | null) {
    this.#now = now;
    this.#secret = secret;
  }

  /** Null: there is no link now, perhaps later. */
  take(upstream: Upstream): LinkChannel | null {
    const { linkAddress } = upstream;
    if (this.#secret === null || linkAddress === null) return null;
    const kept = this.#kept.get(upstream);
    if (kept?.address === linkAddress) {
      if (kept.link?.isOpen) return kept.link.isBehind ? null : new LinkChannel(kept.link);
      if (kept.link !== null || this.#now() < kept.retryAtMs) return null;
    }
    kept?.link?.leave();
    this.#open(upstream, linkAddress, this.#secret);
    return null;
  }

  #open(upstream: Upstream, address: string, secret: string): void {
    const kept: Kept = { address, link: null, retryAtMs: 0 };
    kept.link = new Link(address, secret, () => {
      kept.link = null;
      kept.retryAtMs = this.#now() + retryMs;
    });
    this.#kept.set(upstream, kept);
  }

  /** The worker gets nothing more; what is under way may end. */
  forget(upstream: Upstream): void {
    this.#kept.get(upstream)?.link?.leave();
    this.#kept.delete(upstream);
  }

  close(): void {
    for (const { link } of this.#kept.values()) link?.destroy();
    this.#kept.clear();
  }
}
