import { resolve } from 'node:path';
import { byteCount } from './bytes.ts';
import { count, duration, flag, list, mapping, oneOf, positive, text } from './kinds.ts';
import { group, mappingOf, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { readObjectStores } from './object-stores.ts';

const kibi = 2 ** 10;
const mebi = 2 ** 20;

const thumbnailSize = mappingOf({
  width: option(positive, 320, 'In pixels.'),
  height: option(positive, 240, 'In pixels.'),
  method: option(oneOf('crop', 'scale'), 'scale', 'Cut off what is too much, or fit in.'),
});

const sizesDefault: { width: number; height: number; method: 'crop' | 'scale' }[] = [
  { width: 32, height: 32, method: 'crop' },
  { width: 96, height: 96, method: 'crop' },
  { width: 320, height: 240, method: 'scale' },
  { width: 640, height: 480, method: 'scale' },
  { width: 800, height: 600, method: 'scale' },
];

const uploadLimit = mappingOf({
  time_period: option(duration, 0, 'The time that is looked back.'),
  max_size: option(byteCount, 0, 'Bytes in that time.'),
});

export const mediaSection = section('Media', 'Files that users send each other.', {
  enable_authenticated_media: option(
    flag,
    true,
    'Media need an access token. The older paths without one go on to serve what was uploaded ' +
      'while this was off.',
  ),
  media_store_path: option(text, '', 'The folder of media. It is shared by all processes.', {
    defaultText: '`media_store` in `data_dir`',
    example: '/var/lib/lattice/media',
  }),
  enable_local_media_storage: option(
    flag,
    true,
    'Media are kept in the folder. When false, only in `media_storage_providers`.',
  ),
  media_storage_providers: option(
    list(mapping),
    [],
    'Where media are kept besides: object stores as `s3_storage_provider.S3StorageProviderBackend` ' +
      'names them, with `bucket`, `endpoint_url`, `region_name`, `prefix`, `access_key_id`, ' +
      '`secret_access_key` and `session_token` in `config`.',
    {
      example:
        '\n  - module: s3_storage_provider.S3StorageProviderBackend' +
        '\n    config: {bucket: media, region_name: eu-central-1}',
    },
  ),
  max_upload_size: option(byteCount, 50 * mebi, 'The largest upload.', { defaultText: '`50M`' }),
  media_upload_limits: option(
    list(uploadLimit),
    [],
    'How much each user may upload in a time. All of them hold.',
    { example: '[{time_period: 1h, max_size: 100M}, {time_period: 1w, max_size: 500M}]' },
  ),
  max_pending_media_uploads: option(
    count,
    5,
    'Media ids of one user that nothing was uploaded to yet.',
  ),
  unused_expiration_time: option(
    duration,
    86_400_000,
    'How long something can be uploaded to a new media id.',
    { defaultText: '`24h`' },
  ),
  max_image_pixels: option(
    byteCount,
    32 * mebi,
    'Images with more pixels get no thumbnails, all frames of an animation taken together.',
    { defaultText: '`32M`' },
  ),
  dynamic_thumbnails: option(
    flag,
    false,
    'Thumbnails have any size that is asked for, and not the nearest of `thumbnail_sizes`.',
  ),
  thumbnail_sizes: option(
    list(thumbnailSize),
    sizesDefault,
    'The sizes of thumbnails. Each is made when it is first asked for.',
    { defaultText: '32×32 and 96×96 cropped, 320×240, 640×480 and 800×600 scaled' },
  ),
  media_retention: group(
    {
      local_media_lifetime: optional(duration, 'For what this server’s users have uploaded.'),
      remote_media_lifetime: optional(duration, 'For copies of other servers’ media.'),
    },
    'Media that nobody has looked at for so long are deleted.',
  ),
  remote_media_download_per_second: option(
    byteCount,
    87 * kibi,
    'How much is fetched from other servers for the clients of one address in the long run, in ' +
      'bytes a second. What is fetched already costs nothing.',
    { defaultText: '`87K`' },
  ),
  remote_media_download_burst_count: option(
    byteCount,
    500 * mebi,
    'How much is fetched for them at once.',
    { defaultText: '`500M`' },
  ),
  prevent_media_downloads_from: option(
    list(text),
    [],
    'Servers whose media users do not get, even if they are here already.',
    { example: '[evil.example.org]' },
  ),
});

/** What media are configured by. */
export function readMedia(
  loader: OptionLoader,
  values: ValuesOf<typeof mediaSection.options>,
  { serverName, dataDir }: { serverName: string; dataDir: string },
) {
  const objectStores = readObjectStores(loader, values.media_storage_providers);
  const keepsLocally = values.enable_local_media_storage;
  if (!keepsLocally && objectStores.length === 0) {
    loader.at('enable_local_media_storage').problem('needs media_storage_providers when false');
  }
  for (const [i, { time_period: periodMs }] of values.media_upload_limits.entries()) {
    if (periodMs === 0) loader.at('media_upload_limits', i).problem('needs a time_period');
  }
  return {
    serverName,
    isAuthenticated: values.enable_authenticated_media,
    folder: resolve(dataDir, values.media_store_path || 'media_store'),
    keepsLocally,
    objectStores,
    uploadBytesMax: values.max_upload_size,
    uploadLimits: values.media_upload_limits.map((limit) => ({
      periodMs: limit.time_period,
      bytesMax: limit.max_size,
    })),
    pendingMax: values.max_pending_media_uploads,
    unusedMs: values.unused_expiration_time,
    pixelsMax: values.max_image_pixels,
    thumbnails: { isDynamic: values.dynamic_thumbnails, sizes: values.thumbnail_sizes },
    deniedServers: values.prevent_media_downloads_from,
    remoteDownloads: {
      bytesPerSecond: values.remote_media_download_per_second,
      burstBytes: values.remote_media_download_burst_count,
    },
    keptMs: {
      local: values.media_retention.local_media_lifetime,
      remote: values.media_retention.remote_media_lifetime,
    },
  };
}
