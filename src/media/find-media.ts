import type { Caller, Requester } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { isServerName } from '../matrix/ids.ts';
import type { Bus } from '../streams/bus.ts';
import type { MediaConfig } from './config.ts';
import type { RemoteMedia } from './remote/remote-media.ts';
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
  /** False: of other servers' media only what is here already. */
  allowsRemote: boolean;
  /** Of the client, against whose budget counts what has to be fetched. */
  remoteAddress: string;
  /** An admin wants to see it in spite of its quarantine. */
  bypassesQuarantine: boolean;
  caller: Caller;
}

export interface FindMedia {
  /** Throws M_NOT_FOUND, M_NOT_YET_UPLOADED, and for media of other servers what `RemoteMedia` does. */
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

/** Of another server; this one's are shorter. */
const mediaIdLengthMax = 255;

const notFound = () => new MatrixError('M_NOT_FOUND', 'There is no such media');

/** Whether a requester may see what is in quarantine, having asked for it. */
export const mayBypassQuarantine = (requester: Requester | null, asked: boolean | undefined) =>
  asked === true && requester?.isAdmin === true;

export function createFindMedia(needs: {
  config: Pick<MediaConfig, 'serverName' | 'isAuthenticated' | 'deniedServers'>;
  clock: Clock;
  bus: Bus;
  rows: MediaRows;
  remote: RemoteMedia;
}): FindMedia {
  const { config, clock, bus, rows, remote } = needs;
  const deniedServers = new Set(config.deniedServers);
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

  async function uploaded(question: MediaQuestion): Promise<MediaWithContent> {
    const { mediaId, timeoutMs, caller } = question;
    const untilTs = clock.now() + timeoutMs;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const media = await rows.find('', mediaId);
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

  /** A copy of another server's media, which is fetched when there is none. */
  async function copied(question: MediaQuestion): Promise<MediaWithContent> {
    const { serverName, mediaId, timeoutMs, remoteAddress } = question;
    const isNamed = isServerName(serverName) && mediaId.length <= mediaIdLengthMax;
    if (!isNamed || deniedServers.has(serverName)) throw notFound();
    const known = await rows.find(serverName, mediaId);
    if (known?.content) return { ...known, content: known.content };
    // What is fetched now is for those who have an account (client-server spec, "Content Repository").
    const isForOthers = question.isOpen && config.isAuthenticated;
    if (!question.allowsRemote || isForOthers) throw notFound();
    await remote.fetch({ serverName, mediaId, timeoutMs, remoteAddress });
    const fetched = await rows.find(serverName, mediaId);
    if (!fetched?.content) throw notFound();
    return { ...fetched, content: fetched.content };
  }

  return {
    async find(question) {
      const isOwn = question.serverName === config.serverName;
      const media = await (isOwn ? uploaded(question) : copied(question));
      if (media.quarantinedBy !== null && !question.bypassesQuarantine) throw notFound();
      if (question.isOpen && media.isAuthenticated) throw notFound();
      const now = clock.now();
      const { origin, mediaId } = media;
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
