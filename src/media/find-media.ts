import type { Caller, Requester } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Bus } from '../streams/bus.ts';
import type { MediaConfig } from './config.ts';
import type { Media, MediaRows } from './store/media.ts';
import { uploadedStream } from './streams.ts';

export type MediaWithContent = Media & { content: NonNullable<Media['content']> };

export interface MediaQuestion {
  serverName: string;
  mediaId: string;
  /** How long to wait for an upload. */
  timeoutMs: number;
  /** Asked without an account: what was uploaded for accounts only is not found. */
  isOpen: boolean;
  /** An admin wants to see it in spite of its quarantine. */
  bypassesQuarantine: boolean;
  caller: Caller;
}

export interface FindMedia {
  /** Throws M_NOT_FOUND, M_NOT_YET_UPLOADED. */
  find(question: MediaQuestion): Promise<MediaWithContent>;
  /** Writes when media were last looked at; to be called every minute or so. */
  writeAccess(): Promise<void>;
}

/** Between looks whether something was uploaded meanwhile, should the news of it be lost. */
const lookMs = 1_000;
/** Accesses are written at most so often for each. */
const accessGrainMs = 60 * 60 * 1000;
/** Accesses that wait to be written; more are forgotten, which does little harm. */
const accessesMax = 50_000;

const notFound = () => new MatrixError('M_NOT_FOUND', 'There is no such media');

/** Whether a requester may see what is in quarantine, having asked for it. */
export const mayBypassQuarantine = (requester: Requester | null, asked: boolean | undefined) =>
  asked === true && requester?.isAdmin === true;

export function createFindMedia(needs: {
  config: Pick<MediaConfig, 'serverName'>;
  clock: Clock;
  bus: Bus;
  rows: MediaRows;
}): FindMedia {
  const { config, clock, bus, rows } = needs;
  const waiting = new Map<string, Set<() => void>>();
  let accesses = new Map<string, { origin: string; mediaId: string; ts: number }>();

  bus.subscribe(uploadedStream, (news) => {
    for (const { row } of news) for (const wake of waiting.get(row.mediaId) ?? []) wake();
  });

  /** Settles when something was uploaded, when the time is over or when the client goes. */
  function news(mediaId: string, timeoutMs: number, caller: Caller): Promise<void> {
    return new Promise((resolve) => {
      const wakers = waiting.get(mediaId) ?? new Set();
      waiting.set(mediaId, wakers);
      const done = () => {
        clearTimeout(timer);
        caller.offGone();
        wakers.delete(done);
        if (wakers.size === 0) waiting.delete(mediaId);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      wakers.add(done);
      caller.onGone(done);
      if (caller.isGone) done();
    });
  }

  async function uploaded(origin: string, question: MediaQuestion): Promise<MediaWithContent> {
    const { mediaId, timeoutMs, caller } = question;
    const untilTs = clock.now() + timeoutMs;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const media = await rows.find(origin, mediaId);
      if (media === null) throw notFound();
      if (media.content !== null) return { ...media, content: media.content };
      const now = clock.now();
      if ((media.unusedExpiresTs ?? 0) <= now) throw notFound();
      if (now >= untilTs || caller.isGone) {
        throw new MatrixError('M_NOT_YET_UPLOADED', 'Nothing was uploaded to this media id yet');
      }
      // oxlint-disable-next-line no-await-in-loop
      await news(mediaId, Math.min(untilTs - now, lookMs), caller);
    }
  }

  return {
    async find(question) {
      // Other servers' media cannot be reached; copies of them would be found all the same.
      const origin = question.serverName === config.serverName ? '' : question.serverName;
      const media = await uploaded(origin, question);
      if (media.quarantinedBy !== null && !question.bypassesQuarantine) throw notFound();
      if (question.isOpen && media.isAuthenticated) throw notFound();
      const now = clock.now();
      const { mediaId } = media;
      if (now - (media.lastAccessTs ?? 0) > accessGrainMs && accesses.size < accessesMax) {
        accesses.set(`${origin}/${mediaId}`, { origin, mediaId, ts: now });
      }
      return media;
    },
    async writeAccess() {
      if (accesses.size === 0) return;
      const written = accesses;
      accesses = new Map();
      await rows.noteAccess([...written.values()]);
    },
  };
}
