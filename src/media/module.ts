import { defineRole, type Roles } from '../cluster/role.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import { createMediaAdmin, type MediaSurroundings } from './admin.ts';
import type { MediaConfig } from './config.ts';
import { createDeletion } from './deletion.ts';
import { adminMediaEndpoints } from './endpoints/admin-media.ts';
import { adminQuarantineEndpoints } from './endpoints/admin-quarantine.ts';
import { downloadEndpoints } from './endpoints/download.ts';
import { forServersEndpoints } from './endpoints/for-servers.ts';
import { uploadEndpoints } from './endpoints/upload.ts';
import { previewEndpoints } from './endpoints/preview.ts';
import { createFindMedia } from './find-media.ts';
import { openPreviews, type PreviewsConfig } from './open-previews.ts';
import { createDownloadBudget } from './remote/download-budget.ts';
import { createOpenRemote, type OpenRemoteNeeds } from './remote/open-remote.ts';
import { createRemoteMedia } from './remote/remote-media.ts';
import { openStores, type StorageConfig } from './storage/open-stores.ts';
import { createSmallContents } from './storage/small-contents.ts';
import { createAdminMediaStore } from './store/admin-media.ts';
import { createDeletionStore } from './store/delete-media.ts';
import { createMediaStore } from './store/media.ts';
import { createThumbnailStore } from './store/thumbnails.ts';
import { createSweep } from './sweep.ts';
import { createThumbnails } from './thumbnails/thumbnails.ts';
import { createUploads, type Uploads } from './uploads.ts';

export type { MediaSurroundings } from './admin.ts';
export { createMediaImporter, type MediaImporter } from './importer.ts';
export type { ImportedMedia } from './store/imported-media.ts';

export interface MediaNeeds {
  config: MediaConfig & StorageConfig;
  /** Null: there are no previews of links. */
  previews: PreviewsConfig | null;
  /** By which media of other servers are fetched. */
  otherServers: Pick<OpenRemoteNeeds, 'federation' | 'http'>;
  /** Of requests for previews. */
  userAgent: string;
  database: Database;
  clock: Clock;
  bus: Bus;
  roles: Roles;
  log: Log;
  surroundings: MediaSurroundings;
}

export interface MediaRepository {
  endpoints: Endpoint[];
  /** Keeps a file on behalf of a user; gives the `mxc:` URI. Rejects when the user has too much. */
  save: Uploads['save'];
  /** Writes what waits and deletes what is over; to be called every minute or so. */
  tidy(): Promise<void>;
  close(): void;
}

/** Who deletes what is over. */
const mediaRole = defineRole('media', 1);

/** The media repository: files that users send each other, and their thumbnails. */
export function createMediaRepository(needs: MediaNeeds): MediaRepository {
  const { config, database, clock, bus, roles, log, surroundings } = needs;
  const { serverName } = config;
  const storage = openStores(config);
  const { contents, temporary } = storage;
  const rows = createMediaStore(database);
  const deletion = createDeletion(createDeletionStore(database), contents);
  const uploads = createUploads({ config, clock, bus, rows, deletion, ...storage });
  const remote = createRemoteMedia({
    openRemote: createOpenRemote({ ...needs.otherServers, clock, bytesMax: config.uploadBytesMax }),
    budget: createDownloadBudget(config.remoteDownloads, clock),
    uploads,
    temporary,
  });
  const media = createFindMedia({ config, clock, bus, rows, remote });
  const thumbnailRows = createThumbnailStore(database);
  const thumbnails = createThumbnails({ config, rows: thumbnailRows, deletion, ...storage });
  const adminRows = createAdminMediaStore(database);
  const admin = createMediaAdmin({ serverName, rows, adminRows, deletion, surroundings });
  const { userAgent, previews: linkConfig } = needs;
  const links =
    linkConfig &&
    openPreviews({
      config: linkConfig,
      userAgent,
      serverName,
      database,
      clock,
      uploads,
      temporary,
    });
  const sweep = createSweep({
    config,
    clock,
    deletion,
    temporary,
    log,
    previews: links?.previews ?? null,
  });
  roles.serve(mediaRole, { methods: {} });
  const served = { media, thumbnails, contents, small: createSmallContents(contents) };
  return {
    save: (...file) => uploads.save(...file),
    endpoints: [
      ...bindEndpoints(uploadEndpoints, { uploads, config }),
      ...bindEndpoints(downloadEndpoints, served),
      ...bindEndpoints(forServersEndpoints, { ...served, serverName }),
      ...bindEndpoints([...adminMediaEndpoints, ...adminQuarantineEndpoints], {
        admin,
        serverName,
      }),
      ...(links ? bindEndpoints(previewEndpoints, links) : []),
    ],
    async tidy() {
      await media.writeAccess();
      if (roles.holds(mediaRole, '')) await sweep();
    },
    close: () => links?.close(),
  };
}
