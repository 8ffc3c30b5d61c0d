import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import type { MediaConfig } from './config.ts';
import { downloadEndpoints } from './endpoints/download.ts';
import { uploadEndpoints } from './endpoints/upload.ts';
import { createFindMedia } from './find-media.ts';
import { openStores, type StorageConfig } from './storage/open-stores.ts';
import { createSmallContents } from './storage/small-contents.ts';
import { createMediaStore } from './store/media.ts';
import { createThumbnailStore } from './store/thumbnails.ts';
import { createThumbnails } from './thumbnails/thumbnails.ts';
import { createUploads } from './uploads.ts';

export interface MediaNeeds {
  config: MediaConfig & StorageConfig;
  database: Database;
  clock: Clock;
  bus: Bus;
}

export interface MediaRepository {
  endpoints: Endpoint[];
  /** Writes what waits and forgets what is over; to be called every minute or so. */
  tidy(): Promise<void>;
}

/** The media repository: files that users send each other, and their thumbnails. */
export function createMediaRepository(needs: MediaNeeds): MediaRepository {
  const { config, database, clock, bus } = needs;
  const storage = openStores(config);
  const { contents } = storage;
  const rows = createMediaStore(database);
  const uploads = createUploads({ config, clock, bus, rows, ...storage });
  const media = createFindMedia({ config, clock, bus, rows });
  const thumbnailRows = createThumbnailStore(database);
  const thumbnails = createThumbnails({ config, rows: thumbnailRows, ...storage });
  const small = createSmallContents(contents);
  return {
    endpoints: [
      ...bindEndpoints(uploadEndpoints, { uploads, config }),
      ...bindEndpoints(downloadEndpoints, { media, thumbnails, contents, small }),
    ],
    async tidy() {
      await media.writeAccess();
    },
  };
}
