import type { OptionLoader } from './option-loader.ts';

/** Where objects are kept and with which keys, after Amazon's S3. */
export interface ObjectStoreConfig {
  bucket: string;
  /** Without a slash at the end. Paths are `<endpoint>/<bucket>/<key>`. */
  endpoint: string;
  region: string;
  /** Before each key; empty, or with a slash at the end. */
  prefix: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | null;
  storageClass: string | null;
}

const knownModules = ['s3_storage_provider.S3StorageProviderBackend', 's3'];

const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null;

function withSlash(prefix: string): string {
  const plain = prefix.replace(/^\/+|\/+$/g, '');
  return plain === '' ? '' : `${plain}/`;
}

/** Reads `media_storage_providers`. Keys may come from the environment, as Amazon's tools do it. */
export function readObjectStores(
  loader: OptionLoader,
  providers: readonly Record<string, unknown>[],
): ObjectStoreConfig[] {
  return providers.flatMap((provider, i) => {
    const at = loader.at('media_storage_providers', i);
    if (!knownModules.includes(String(provider['module']))) {
      at.problem(`module must be one of ${knownModules.join(', ')}`);
      return [];
    }
    const given = (provider['config'] ?? {}) as Record<string, unknown>;
    const env = process.env;
    const bucket = textOf(given['bucket']);
    const accessKeyId = textOf(given['access_key_id']) ?? textOf(env['AWS_ACCESS_KEY_ID']);
    const secretAccessKey =
      textOf(given['secret_access_key']) ?? textOf(env['AWS_SECRET_ACCESS_KEY']);
    if (bucket === null) at.problem('config needs a bucket');
    if (accessKeyId === null || secretAccessKey === null) {
      at.problem('config needs access_key_id and secret_access_key');
    }
    if (bucket === null || accessKeyId === null || secretAccessKey === null) return [];
    const region = textOf(given['region_name']) ?? 'us-east-1';
    const endpoint = textOf(given['endpoint_url']) ?? `https://s3.${region}.amazonaws.com`;
    if (!/^https?:\/\/[^/]/.test(endpoint)) at.problem('endpoint_url must be a URL');
    return [
      {
        bucket,
        endpoint: endpoint.replace(/\/+$/, ''),
        region,
        prefix: withSlash(textOf(given['prefix']) ?? ''),
        accessKeyId,
        secretAccessKey,
        sessionToken: textOf(given['session_token']) ?? textOf(env['AWS_SESSION_TOKEN']),
        storageClass: textOf(given['storage_class']),
      },
    ];
  });
}
