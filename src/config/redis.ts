import { count, flag, list, port, secretTextOrNumber, text } from './kinds.ts';
import type { OptionLoader } from './option-loader.ts';
import { readSecret } from './secret-file.ts';
import { group, mappingOf, option, optional } from './option.ts';

const node = mappingOf({
  host: option(text, 'localhost', ''),
  port: option(port, 6379, ''),
});

const sentinel = mappingOf({
  name: option(text, 'mymaster', ''),
  nodes: option(list(node), [], ''),
});

/** The `redis` option. */
export const redisOption = group(
  {
    enabled: option(flag, false, 'The server runs as several processes, which talk through Redis.'),
    host: option(text, 'localhost', 'Where Redis is.'),
    port: option(port, 6379, 'Its port.'),
    path: optional(text, 'Its unix socket, instead of host and port.'),
    username: optional(text, 'Who to be, where Redis has users.'),
    password: optional(secretTextOrNumber, 'The password.'),
    password_path: optional(text, 'A file with the password.'),
    dbid: option(count, 0, 'The number of the database.'),
    use_tls: option(flag, false, 'Connect with TLS.'),
    certificate_file: optional(text, 'PEM file of this server’s certificate.'),
    private_key_file: optional(text, 'PEM file of its key.'),
    ca_file: optional(text, 'PEM file of the authorities to trust.'),
    ca_path: optional(text, 'The same; a folder in Synapse, a file here.'),
    sentinel: optional(sentinel, 'Sentinels that know where Redis is: `name` and `nodes`.', {
      example: `
      name: mymaster
      nodes:
        - {host: 10.0.0.1, port: 26379}`,
    }),
    cluster: optional(list(node), 'Nodes of a Redis Cluster, instead of one Redis.'),
  },
  'Redis, through which the processes of a server talk.',
);

/** How Redis is reached; the files of TLS are not read yet. */
export interface RedisConfig {
  at: { host: string; port: number } | { path: string };
  username: string | null;
  password: string | null;
  database: number;
  tls: { caPath: string | null; certificatePath: string | null; keyPath: string | null } | null;
  sentinel: { name: string; nodes: { host: string; port: number }[] } | null;
  cluster: { host: string; port: number }[] | null;
}

type Given = typeof redisOption.byDefault;

/** Null when it is not enabled. */
export function readRedis(loader: OptionLoader, given: Given): RedisConfig | null {
  if (!given.enabled) return null;
  return {
    at: given.path === null ? { host: given.host, port: given.port } : { path: given.path },
    username: given.username,
    password: readSecret(loader, ['redis', 'password'], given.password, given.password_path),
    database: given.dbid,
    tls: given.use_tls
      ? {
          caPath: given.ca_file ?? given.ca_path,
          certificatePath: given.certificate_file,
          keyPath: given.private_key_file,
        }
      : null,
    sentinel: given.sentinel,
    cluster: given.cluster,
  };
}
