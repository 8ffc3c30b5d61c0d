import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import { createUrlFilter, type UrlPatterns } from './previews/denied-urls.ts';
import type { Preview } from './previews/fetch-preview.ts';
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
  const isUrlAllowed = createUrlFilter(config.deniedUrls);
  const shared = { http, isUrlAllowed, languages, bytesMax, serverName, uploads, temporary };
  let loading: Promise<(url: string) => Promise<Preview>> | null = null;

  /** Loaded with the first link: a process that fetches none is without the parser of pages. */
  async function load() {
    const [{ createFetchPreview }, { loadOembed }] = await Promise.all([
      import('./previews/fetch-preview.ts'),
      import('./previews/oembed.ts'),
    ]);
    return createFetchPreview({ ...shared, findOembed: await loadOembed(config.oembed) });
  }

  async function fetchPreview(url: string): Promise<Preview> {
    loading ??= load();
    // What could not be loaded is tried again with the next link.
    loading.catch(() => (loading = null));
    return (await loading)(url);
  }

  const rows = createPreviewStore(database);
  return {
    previews: createPreviews({ clock, rows, languages, fetchPreview }),
    close: () => http.close(),
  };
}
