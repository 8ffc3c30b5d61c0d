import type { HttpRequest } from '../http/exchange.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { randomLetters } from '../kernel/random.ts';
import type { Bus } from '../streams/bus.ts';
import type { MediaConfig } from './config.ts';
import type { Deletion } from './deletion.ts';
import { announcedBytes, receive } from './receive.ts';
import type { MediaStore, WrittenFile } from './storage/media-store.ts';
import type { TemporaryFiles } from './storage/temporary-files.ts';
import type { MediaRows, NewContent } from './store/media.ts';
import { uploadedStream } from './streams.ts';

export interface UploadsNeeds {
  config: MediaConfig;
  clock: Clock;
  bus: Bus;
  rows: MediaRows;
  contents: MediaStore;
  temporary: TemporaryFiles;
  deletion: Pick<Deletion, 'forget'>;
}

/** An upload as its request describes it. */
export interface Upload {
  req: HttpRequest;
  userNid: number;
  contentType: string;
  fileName: string | null;
}

export interface Uploads {
  /** Gives the `mxc:` URI. Throws M_TOO_LARGE, M_RESOURCE_LIMIT_EXCEEDED. */
  upload(upload: Upload): Promise<string>;
  /** Keeps bytes that are there already on behalf of a user. Gives and throws what `upload` does. */
  save(bytes: Buffer, upload: Omit<Upload, 'req'>): Promise<string>;
  /** Makes an id to upload to later. Throws M_LIMIT_EXCEEDED. */
  create(userNid: number): Promise<{ contentUri: string; unusedExpiresTs: number }>;
  /** Throws M_FORBIDDEN, M_NOT_FOUND, M_CANNOT_OVERWRITE_MEDIA and what `upload` does. */
  uploadTo(mediaId: string, upload: Upload): Promise<void>;
  /** Keeps a content that a server process has fetched; gives the media id. */
  keep(file: WrittenFile, kept: Omit<NewContent, 'sha256' | 'bytes'>): Promise<string>;
  /** Keeps a copy of another server's media, unless there is one already. */
  keepCopy(file: WrittenFile, copy: RemoteCopy): Promise<void>;
}

export interface RemoteCopy extends Omit<NewContent, 'sha256' | 'bytes'> {
  origin: string;
  mediaId: string;
}

/** Another process was faster. */
class AlreadyKept extends Error {}

/** 52^24: nobody can guess one. */
const mediaIdLetters = 24;
/** A content is deleted while it is uploaded anew, again and again: that does not happen. */
const attemptsMax = 3;

async function* asStream(bytes: Buffer) {
  yield bytes;
}

export function createUploads(needs: UploadsNeeds): Uploads {
  const { config, clock, bus, rows, contents, temporary, deletion } = needs;
  const longestFirst = config.uploadLimits.toSorted((a, b) => b.periodMs - a.periodMs);

  async function checkLimits(userNid: number, bytes: number): Promise<void> {
    const now = clock.now();
    const used = await Promise.all(
      longestFirst.map((limit) => rows.uploadedBytes(userNid, now - limit.periodMs)),
    );
    const isOver = longestFirst.some((limit, i) => used[i]! + bytes > limit.bytesMax);
    if (!isOver) return;
    const text = 'You have uploaded as much as you may for now';
    throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', text, { status: 400 });
  }

  /**
   * Puts a content into the store and writes the row that names it. Whoever deletes contents looks for
   * such rows under a lock that writing the row takes, so what is there afterwards stays.
   */
  async function keepAs(file: WrittenFile, writeRow: () => Promise<void>): Promise<void> {
    await contents.put(file);
    try {
      await writeRow();
    } catch (error) {
      await deletion.forget(file.sha256);
      throw error;
    }
    for (let left = attemptsMax; !(await contents.has(file.sha256)); left--) {
      if (left === 0) throw new Error('a content is deleted as often as it is put');
      // oxlint-disable-next-line no-await-in-loop
      await contents.put(file);
    }
  }

  type WriteRow = (content: NewContent) => Promise<void>;

  async function kept(
    pieces: Parameters<TemporaryFiles['write']>[0],
    { contentType, fileName }: Omit<Upload, 'req'>,
    check: (bytes: number) => Promise<void>,
    writeRow: WriteRow,
  ): Promise<void> {
    const file = await temporary.write(pieces);
    try {
      const { sha256, bytes } = file;
      await check(bytes);
      await keepAs(file, () => writeRow({ sha256, bytes, contentType, fileName }));
    } finally {
      await temporary.discard(file.path);
    }
  }

  async function received({ req, ...upload }: Upload, writeRow: WriteRow): Promise<void> {
    const announced = announcedBytes(req);
    if (announced !== null) await checkLimits(upload.userNid, announced);
    const check = async (bytes: number) => {
      if (announced === null) await checkLimits(upload.userNid, bytes);
    };
    await kept(receive(req, config.uploadBytesMax), upload, check, writeRow);
  }

  /** The media id under which the content will be, and what writes that down. */
  function newMedia(userNid: number): { mediaId: string; writeRow: WriteRow } {
    const mediaId = randomLetters(mediaIdLetters);
    const { isAuthenticated } = config;
    return {
      mediaId,
      writeRow(content) {
        const nowTs = clock.now();
        const media = { origin: '', mediaId, userNid, nowTs, isAuthenticated, isPreview: false };
        return rows.insert(media, content);
      },
    };
  }

  const uriOf = (mediaId: string) => `mxc://${config.serverName}/${mediaId}`;

  return {
    async upload(upload) {
      const { mediaId, writeRow } = newMedia(upload.userNid);
      await received(upload, writeRow);
      return uriOf(mediaId);
    },
    async save(bytes, upload) {
      const { mediaId, writeRow } = newMedia(upload.userNid);
      await kept(asStream(bytes), upload, (count) => checkLimits(upload.userNid, count), writeRow);
      return uriOf(mediaId);
    },
    async create(userNid) {
      const mediaId = randomLetters(mediaIdLetters);
      const nowTs = clock.now();
      const expiresTs = nowTs + config.unusedMs;
      const { isAuthenticated, pendingMax } = config;
      const pending = { mediaId, userNid, nowTs, expiresTs, isAuthenticated, pendingMax };
      const { isMade, firstTs } = await rows.insertPending(pending);
      if (!isMade) {
        const waitMs = firstTs === null ? config.unusedMs : firstTs - nowTs;
        const text = 'Upload to the media ids you have, or wait until they expire';
        throw new MatrixError('M_LIMIT_EXCEEDED', text, { extra: { retry_after_ms: waitMs } });
      }
      return { contentUri: uriOf(mediaId), unusedExpiresTs: expiresTs };
    },
    async uploadTo(mediaId, upload) {
      const { userNid } = upload;
      const found = await rows.find('', mediaId);
      if (found === null) throw new MatrixError('M_NOT_FOUND', 'There is no such media id');
      if (found.userNid !== userNid) {
        throw new MatrixError('M_FORBIDDEN', 'Only who made a media id may upload to it');
      }
      if (found.content !== null) throw overwritten();
      if ((found.unusedExpiresTs ?? 0) <= clock.now()) {
        throw new MatrixError('M_NOT_FOUND', 'The media id has expired');
      }
      await received(upload, async (content) => {
        const isDone = await rows.complete({ mediaId, userNid, nowTs: clock.now() }, content);
        if (!isDone) throw overwritten();
      });
      bus.publish([{ stream: uploadedStream, pos: bus.nextEphemeral(), row: { mediaId } }]);
    },
    async keep(file, { contentType, fileName }) {
      const mediaId = randomLetters(mediaIdLetters);
      const { isAuthenticated } = config;
      const nowTs = clock.now();
      const media = { origin: '', mediaId, userNid: null, nowTs, isAuthenticated, isPreview: true };
      const { sha256, bytes } = file;
      await keepAs(file, () => rows.insert(media, { sha256, bytes, contentType, fileName }));
      return mediaId;
    },
    async keepCopy(file, { origin, mediaId, contentType, fileName }) {
      const { isAuthenticated } = config;
      const { sha256, bytes } = file;
      try {
        await keepAs(file, async () => {
          const copy = { origin, mediaId, nowTs: clock.now(), isAuthenticated };
          const isNew = await rows.insertCopy(copy, { sha256, bytes, contentType, fileName });
          if (!isNew) throw new AlreadyKept();
        });
      } catch (error) {
        if (!(error instanceof AlreadyKept)) throw error;
      }
    },
  };
}

const overwritten = () =>
  new MatrixError('M_CANNOT_OVERWRITE_MEDIA', 'Something was uploaded to this media id already');
