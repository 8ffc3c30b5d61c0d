import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImportedMedia, MediaImporter } from '../media/module.ts';
import { pagesOf, type Reading } from './source/pages.ts';
import type { SourceRow, SynapseSource } from './source/source.ts';

/** Where Synapse keeps a file: `AA/BB/rest` of its id. */
const pathOf = (id: string) => [id.slice(0, 2), id.slice(2, 4), id.slice(4)];

const localMedia: Reading = {
  columns: `media_id, media_type, media_length, created_ts, upload_name, user_id, quarantined_by,
    last_access_ts, safe_from_quarantine, authenticated`,
  from: 'local_media_repository',
  // Pictures of previews are made anew; what has no length has not been uploaded yet.
  where: 'url_cache is null and media_length is not null',
  key: ['media_id'],
};

const remoteMedia: Reading = {
  columns: `media_origin, media_id, media_type, media_length, created_ts, upload_name,
    filesystem_id, last_access_ts, quarantined_by, authenticated`,
  from: 'remote_media_cache',
  where: 'media_length is not null',
  key: ['media_origin', 'media_id'],
};

/** Media whose files are looked at before their rows are written. */
const mediaAtOnce = 100;

const numberOr = (value: SourceRow[string] | undefined, other: number) =>
  value === null || value === undefined ? other : Number(value);

/** What is known of a medium, but for its content. */
const describe = (row: SourceRow): Omit<ImportedMedia, 'sha256' | 'bytes'> => ({
  origin: (row['media_origin'] as string | undefined) ?? '',
  mediaId: row['media_id'] as string,
  userId: (row['user_id'] as string | null | undefined) ?? null,
  createdTs: numberOr(row['created_ts'], 0),
  contentType: (row['media_type'] as string | null) ?? 'application/octet-stream',
  fileName: row['upload_name'] as string | null,
  lastAccessTs: numberOr(row['last_access_ts'], 0) || null,
  isAuthenticated: Boolean(row['authenticated']),
  isProtected: Boolean(row['safe_from_quarantine']),
  quarantinedBy: row['quarantined_by'] as string | null,
});

export interface MediaImportNeeds {
  source: SynapseSource;
  /** [media_store_path] of Synapse. */
  folder: string;
  media: MediaImporter;
  note(text: string): void;
}

/** Takes over uploads, and what was fetched from other servers; gives how many there are. */
export async function importMedia(needs: MediaImportNeeds): Promise<number> {
  const { source, folder, media, note } = needs;
  let count = 0;
  let missing = 0;

  async function take(row: SourceRow, path: string): Promise<ImportedMedia | null> {
    if (!(await stat(path).catch(() => null))) {
      missing++;
      return null;
    }
    const content = await media.keep(createReadStream(path));
    return { ...describe(row), ...content };
  }

  async function takeAll(reading: Reading, fileOf: (row: SourceRow) => string): Promise<void> {
    for await (const rows of pagesOf(source, reading, mediaAtOnce)) {
      const known = await media.known(rows.map((row) => describe(row)));
      const found: ImportedMedia[] = [];
      for (const row of rows) {
        const { origin, mediaId } = describe(row);
        if (known.has(`${origin}/${mediaId}`)) continue;
        const taken = await take(row, fileOf(row));
        if (taken) found.push(taken);
      }
      count += await media.insert(found);
    }
  }

  await takeAll(localMedia, (row) =>
    join(folder, 'local_content', ...pathOf(row['media_id'] as string)),
  );
  await takeAll(remoteMedia, (row) =>
    join(
      folder,
      'remote_content',
      row['media_origin'] as string,
      ...pathOf(row['filesystem_id'] as string),
    ),
  );
  if (missing > 0) note(`${missing} media are left out: their files are not in ${folder}`);
  return count;
}
