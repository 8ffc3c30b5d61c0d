import { createHash } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { PreviewRows } from '../store/previews.ts';
import type { Preview } from './fetch-preview.ts';

export interface PreviewsNeeds {
  clock: Clock;
  rows: PreviewRows;
  languages: readonly string[];
  fetchPreview: (url: string) => Promise<Preview>;
}

export interface Previews {
  /** A preview as JSON text: of a time, or of now. Throws M_INVALID_PARAM and what fetching does. */
  of(url: string, ts: number | null): Promise<string>;
  /** Forgets what nobody asks about any more. */
  sweep(nowTs: number): Promise<void>;
}

/** How long a preview holds, until the page is looked at again. */
const keptMs = 60 * 60 * 1000;
/** How much longer it can be asked for by its time. */
const rememberedMs = 24 * 60 * 60 * 1000;
/** Pages that are fetched at once, and that wait for it. */
const atOnce = 20;
const waitingMax = 200;
const urlLengthMax = 4_096;

/** The URL without what is no business of its server. Throws M_INVALID_PARAM. */
function normalised(given: string): string {
  const url = given.length <= urlLengthMax && URL.canParse(given) ? new URL(given) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new MatrixError('M_INVALID_PARAM', 'url must begin with https:// or http://');
  }
  url.hash = '';
  return url.href;
}

/** Previews of links, kept for a while for everybody. */
export function createPreviews(needs: PreviewsNeeds): Previews {
  const { clock, rows, languages, fetchPreview } = needs;
  const underWay = new Map<string, Promise<string>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  async function turn(): Promise<void> {
    if (running < atOnce) {
      running++;
      return;
    }
    if (waiting.length >= waitingMax) {
      const extra = { retry_after_ms: 5_000 };
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many pages are being fetched', { extra });
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function done(): void {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }

  async function make(url: string, key: Buffer): Promise<string> {
    await turn();
    try {
      const preview = JSON.stringify(await fetchPreview(url));
      const now = clock.now();
      await rows.insert(key, now, now + keptMs, preview);
      return preview;
    } finally {
      done();
    }
  }

  return {
    async of(given, ts) {
      const url = normalised(given);
      const key = createHash('sha256')
        .update(JSON.stringify([url, languages]))
        .digest();
      const known = await rows.find(key, ts ?? clock.now());
      if (known !== null) return known;
      let making = underWay.get(url);
      if (!making) {
        making = make(url, key).finally(() => underWay.delete(url));
        underWay.set(url, making);
      }
      return making;
    },
    sweep: (nowTs) => rows.deleteExpired(nowTs - rememberedMs),
  };
}
