import type { Database } from '../database/database.ts';
import { openStores, type StorageConfig } from './storage/open-stores.ts';
import { createImportedMediaStore, type ImportedMedia } from './store/imported-media.ts';

/** Media of another homeserver of the same name, taken over. */
export interface MediaImporter {
  /** Those that are there already, as `origin/mediaId`. */
  known(media: readonly Pick<ImportedMedia, 'origin' | 'mediaId'>[]): Promise<ReadonlySet<string>>;
  /** Keeps a content, to be told of with `insert`. */
  keep(content: AsyncIterable<Buffer>): Promise<{ sha256: string; bytes: number }>;
  /** Gives how many were not there. */
  insert(media: readonly ImportedMedia[]): Promise<number>;
}

export function createMediaImporter(config: StorageConfig, database: Database): MediaImporter {
  const { contents, temporary } = openStores(config);
  const store = createImportedMediaStore(database);
  return {
    known: (media) => store.known(media),
    insert: (media) => store.insert(media),
    async keep(content) {
      const file = await temporary.write(content);
      try {
        await contents.put(file);
      } finally {
        await temporary.discard(file.path);
      }
      const { sha256, bytes } = file;
      return { sha256, bytes };
    },
  };
}
