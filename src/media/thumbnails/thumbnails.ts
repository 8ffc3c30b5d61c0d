import { MatrixError } from '../../kernel/errors.ts';
import type { MediaConfig, ThumbnailSize } from '../config.ts';
import type { Deletion } from '../deletion.ts';
import type { MediaWithContent } from '../find-media.ts';
import type { MediaStore } from '../storage/media-store.ts';
import type { TemporaryFiles } from '../storage/temporary-files.ts';
import type { Thumbnail, ThumbnailKey, ThumbnailRows } from '../store/thumbnails.ts';
import { boundedSize, chooseSize } from './choose-size.ts';
import { makeThumbnail } from './make-thumbnail.ts';

export interface ThumbnailWish {
  size: ThumbnailSize;
  isAnimated: boolean;
}

export interface Thumbnails {
  /** Makes it when it is asked for the first time. Throws M_UNKNOWN, M_TOO_LARGE, M_LIMIT_EXCEEDED. */
  of(media: MediaWithContent, wish: ThumbnailWish): Promise<Thumbnail>;
}

export interface ThumbnailsNeeds {
  config: Pick<MediaConfig, 'thumbnails' | 'pixelsMax'>;
  rows: ThumbnailRows;
  contents: MediaStore;
  temporary: TemporaryFiles;
  deletion: Pick<Deletion, 'forget'>;
}

/** Types that can have frames; others have but one thumbnail. */
const animatedTypes = new Set(['image/gif', 'image/webp', 'image/png', 'image/apng', 'image/avif']);

function missing(): never {
  throw new MatrixError('M_NOT_FOUND', 'The content of this media is lost');
}

async function* once(data: Buffer) {
  yield data;
}

export function createThumbnails(needs: ThumbnailsNeeds): Thumbnails {
  const { config, rows, contents, temporary, deletion } = needs;
  const { isDynamic, sizes } = config.thumbnails;
  /** What is being made in this process. */
  const underWay = new Map<string, Promise<Thumbnail>>();

  async function make(key: ThumbnailKey, { content }: MediaWithContent): Promise<Thumbnail> {
    const original = await contents.asFile(content.sha256);
    if (original === null) return missing();
    try {
      const { isAnimated } = key;
      const { pixelsMax } = config;
      const made = await makeThumbnail(original.path, key, { isAnimated, pixelsMax });
      const file = await temporary.write(once(made.data));
      try {
        const { sha256, bytes } = file;
        const thumbnail = { sha256, bytes, contentType: made.contentType };
        await contents.put(file);
        if (!(await rows.insert(key, thumbnail))) {
          await deletion.forget(sha256);
          return (await rows.find(key)) ?? missing();
        }
        if (!(await contents.has(sha256))) await contents.put(file);
        return thumbnail;
      } finally {
        await temporary.discard(file.path);
      }
    } finally {
      await original.release();
    }
  }

  return {
    async of(media, { size: wanted, isAnimated }) {
      const size = isDynamic ? boundedSize(wanted) : chooseSize(sizes, wanted);
      if (size === null) throw new MatrixError('M_NOT_FOUND', 'There are no thumbnails here');
      const { origin, mediaId } = media;
      const canMove = animatedTypes.has(media.content.contentType.split(';')[0]!.trim());
      const key = { origin, mediaId, ...size, isAnimated: isAnimated && canMove };
      const found = await rows.find(key);
      if (found !== null) return found;
      const name = JSON.stringify(key);
      let making = underWay.get(name);
      if (!making) {
        making = make(key, media).finally(() => underWay.delete(name));
        underWay.set(name, making);
      }
      return making;
    },
  };
}
