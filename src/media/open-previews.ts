import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import { createUrlFilter, type UrlPatterns } from './previews/denied-urls.ts';
import { createFetchPreview } from './previews/fetch-preview.ts';
import { loadOembed } from './previews/oembed.ts';
import { createPreviews, type Previews } from './previews/previews.ts';
import type { TemporaryFiles } from './storage/temporary-files.ts';
import { createPreviewStore } from './store/previews.ts';
import type { Uploads } from './uploads.ts';

/** What previews of links are configured by. */
export interface PreviewsConfig {
  /** Addresses that are never fetched from, and exceptions to that. */
  deny: readonly string[];
  allow: readonly string[];
  deniedUrls: readonly UrlPatterns[];
  bytesMax: number;
  /** As `Accept-Language` has them. */
  languages: readonly string[];
  oembed: { hasDefaults: boolean; files: readonly string[] };
}

export interface OpenPreviewsNeeds {
  config: PreviewsConfig;
  /** Of the server, for whom it asks. */
  userAgent: string;
  serverName: string;
  database: Database;
  clock: Clock;
  uploads: Uploads;
  temporary: TemporaryFiles;
}

/** Puts previews together: their own HTTP client, filters and services. */
export function openPreviews(needs: OpenPreviewsNeeds): { previews: Previews; close(): void } {
  const { config, database, clock, serverName, uploads, temporary } = needs;
  const { deny, allow, languages, bytesMax } = config;
  const http = createOutboundHttp({
    deny,
    allow,
    userAgent: `${needs.userAgent} (bot; previews of links)`,
  });
  const oembed = loadOembed(config.oembed);
  // An unreadable list is told to whoever asks for a preview, and ends no process.
  oembed.catch(() => undefined);
  const isUrlAllowed = createUrlFilter(config.deniedUrls);
  const shared = { http, isUrlAllowed, languages, bytesMax, serverName, uploads, temporary };
  const fetchPreview = async (url: string) =>
    createFetchPreview({ ...shared, findOembed: await oembed })(url);
  const rows = createPreviewStore(database);
  return {
    previews: createPreviews({ clock, rows, languages, fetchPreview }),
    close: () => http.close(),
  };
}
