import { flag, list, mapping, oneOf, text, type Kind } from './kinds.ts';
import type { OptionReader } from './reader.ts';

/** What a listener can offer. */
export const resourceNames = [
  'client',
  'federation',
  'media',
  'metrics',
  'health',
  'admin',
] as const;
export type ResourceName = (typeof resourceNames)[number];

export interface ListenerConfig {
  at: { port: number; addresses: string[] } | { path: string; mode: number };
  resources: ResourceName[];
  tls: boolean;
  isForwarded: boolean;
}

/** Names of other homeservers' resources, with what they are here. */
const meanings: Record<string, readonly ResourceName[]> = {
  client: ['client', 'admin', 'media', 'health'],
  federation: ['federation', 'media', 'health'],
  media: ['media'],
  metrics: ['metrics', 'health'],
  health: ['health'],
  admin: ['admin', 'health'],
  keys: ['federation'],
  openid: ['federation'],
  consent: [],
  static: [],
  replication: [],
};

const port: Kind<number> = {
  allowed: 'a port from 0 to 65535',
  read: (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535
      ? (value as number)
      : undefined,
};
const mode: Kind<number> = {
  allowed: "a file mode such as '0660'",
  read: (value) => {
    const octal = String(value);
    return /^0?[0-7]{3}$/.test(octal) ? Number.parseInt(octal, 8) : undefined;
  },
};
const addresses: Kind<string[]> = {
  allowed: 'a list of addresses',
  read: (value) => (typeof value === 'string' ? [value] : list(text).read(value)),
};

const option = 'listeners';

function readListener(
  reader: OptionReader,
  fields: Record<string, unknown>,
): ListenerConfig | null {
  const type = reader.member(option, fields, 'type', oneOf('http', 'metrics', 'manhole'), 'http');
  if (type === 'manhole') return null;
  const path = reader.member(option, fields, 'path', text, null);
  const number = reader.member(option, fields, 'port', port, null);
  if (path === null && number === null) {
    reader.problem(option, 'a listener needs a port or a path');
    return null;
  }
  const isTls = reader.member(option, fields, 'tls', flag, false);
  const one = reader.member(option, fields, 'bind_address', text, null);
  const byDefault = one === null ? ['127.0.0.1'] : [one];
  return {
    at:
      path === null
        ? {
            port: number!,
            addresses: reader.member(option, fields, 'bind_addresses', addresses, byDefault),
          }
        : { path, mode: reader.member(option, fields, 'mode', mode, 0o666) },
    resources: type === 'metrics' ? ['metrics', 'health'] : readResources(reader, fields),
    tls: isTls,
    isForwarded: reader.member(option, fields, 'x_forwarded', flag, false),
  };
}

function readResources(reader: OptionReader, fields: Record<string, unknown>): ResourceName[] {
  const entries = reader.member(option, fields, 'resources', list(mapping), [
    { names: ['client'] },
  ]);
  const found = new Set<ResourceName>();
  for (const entry of entries) {
    for (const name of reader.member(option, entry, 'names', list(text), [])) {
      const resources = Object.hasOwn(meanings, name) ? meanings[name] : undefined;
      if (!resources) {
        const allowed = Object.keys(meanings).join(', ');
        reader.problem(option, `unknown resource ${name}; allowed are ${allowed}`);
      }
      for (const resource of resources ?? []) found.add(resource);
    }
  }
  return [...found];
}

/** [listeners] Default: client, federation and media on 127.0.0.1:8008. */
export function readListeners(reader: OptionReader): ListenerConfig[] {
  const given = reader.take(option, list(mapping), null);
  if (given === null) {
    return [
      {
        at: { port: 8008, addresses: ['127.0.0.1'] },
        resources: ['client', 'federation', 'media', 'health', 'admin'],
        tls: false,
        isForwarded: false,
      },
    ];
  }
  return given
    .map((fields) => readListener(reader, fields))
    .filter((listener) => listener !== null);
}
