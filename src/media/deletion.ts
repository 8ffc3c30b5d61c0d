import type { MediaStore } from './storage/media-store.ts';
import type { DeletionRows, MediaName, OldMedia } from './store/delete-media.ts';
import type { Media } from './store/media.ts';

export interface Deletion {
  /** Deletes media with their thumbnails and contents, as far as nothing else has the content. */
  delete(names: readonly MediaName[]): Promise<void>;
  /** Deletes a content that was put for a row that there is not, unless another names it. */
  forget(sha256: string): Promise<void>;
  /** Deletes old media; gives the ids. `isKept` is asked about each page of them. */
  deleteOld(
    which: OldMedia,
    isKept?: (page: readonly Media[]) => Promise<(media: Media) => boolean>,
  ): Promise<string[]>;
  /** Deletes ids that nothing was uploaded to in time, and images of previews from before a time. */
  deleteExpired(nowTs: number, previewsBeforeTs: number): Promise<void>;
}

/** Deleted in one transaction, which holds their contents locked. */
const atOnce = 100;

export function createDeletion(rows: DeletionRows, contents: MediaStore): Deletion {
  async function deleteAll(names: readonly MediaName[]): Promise<void> {
    for (let at = 0; at < names.length; at += atOnce) {
      // oxlint-disable-next-line no-await-in-loop -- in portions, so that nobody waits for long
      await rows.delete(names.slice(at, at + atOnce), (sha256) => contents.delete(sha256));
    }
  }

  return {
    delete: deleteAll,
    forget: (sha256) => rows.forget(sha256, (hash) => contents.delete(hash)),
    async deleteOld(which, isKept) {
      const deleted: string[] = [];
      let after: MediaName = { origin: '', mediaId: '' };
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop
        const page = await rows.old(which, after, atOnce);
        const last = page.at(-1);
        if (!last) return deleted;
        after = last;
        // oxlint-disable-next-line no-await-in-loop
        const keeps = (await isKept?.(page)) ?? (() => false);
        const gone = page.filter((media) => !keeps(media));
        // oxlint-disable-next-line no-await-in-loop
        await deleteAll(gone);
        for (const { mediaId } of gone) deleted.push(mediaId);
      }
    },
    async deleteExpired(nowTs, previewsBeforeTs) {
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop
        const page = await rows.expired(nowTs, previewsBeforeTs, atOnce);
        if (page.length === 0) return;
        // oxlint-disable-next-line no-await-in-loop
        await deleteAll(page);
      }
    },
  };
}
