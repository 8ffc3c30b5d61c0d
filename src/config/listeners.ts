import { flag, kind, list, oneOf, port, text, textOrList } from './kinds.ts';
import { everyAddress, isLoopback } from './loopback.ts';
import {
  defaultsOf,
  inert,
  mappingOf,
  option,
  optional,
  section,
  type ValuesOf,
} from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import type { Reading } from './reading.ts';

/** What a listener can offer. */
export type ResourceName = 'client' | 'federation' | 'media' | 'metrics' | 'health' | 'admin';

export interface ListenerConfig {
  at: { port: number; addresses: string[] } | { path: string; mode: number };
  resources: ResourceName[];
  tls: boolean;
  isForwarded: boolean;
}

/** Where other processes of the server call this one. */
export type CallAddress = { port: number; addresses: string[] } | { path: string; mode: number };

/** Names of resources in the file, Synapse's among them, with what they are here. */
const meanings = {
  client: ['client', 'admin', 'media', 'health'],
  federation: ['federation', 'media', 'health'],
  media: ['media'],
  metrics: ['metrics', 'health'],
  health: ['health'],
  admin: ['admin', 'media', 'health'],
  keys: ['federation'],
  openid: ['federation'],
  consent: [],
  static: [],
  replication: [],
} as const satisfies Record<string, readonly ResourceName[]>;
type GivenName = keyof typeof meanings;

/** Octal modes are at most this; larger numbers are octal digits that YAML took for decimal. */
const modeMax = 0o777;
const fileMode = kind("a file mode such as '0660'", (value) => {
  if (typeof value === 'number' && value >= 0 && value <= modeMax) return value;
  const digits = String(value).replace(/^0o?/, '');
  return /^[0-7]{3}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
});

const resource = mappingOf({
  names: option(list(oneOf(...(Object.keys(meanings) as GivenName[]))), [], ''),
  ...inert({ compress: 'compression, which is the reverse proxy’s work' }),
});

const members = {
  type: option(oneOf('http', 'metrics', 'manhole'), 'http', '`metrics` serves only metrics.'),
  port: optional(port, 'The TCP port; 0 takes a free one.'),
  path: optional(text, 'A unix socket, instead of a port.'),
  mode: option(fileMode, 0o666, 'The file mode of the unix socket.', { defaultText: "`'0666'`" }),
  bind_addresses: optional(textOrList, 'Addresses to listen on.', {
    defaultText: 'all addresses of the machine',
  }),
  bind_address: optional(text, 'The old form of `bind_addresses`.'),
  tls: option(flag, false, 'HTTPS; needs `tls_certificate_path` and `tls_private_key_path`.'),
  x_forwarded: option(
    flag,
    false,
    'Behind a reverse proxy that sets X-Forwarded-For: believe it about clients’ addresses.',
  ),
  resources: option(
    list(resource),
    [{ names: ['client'], compress: undefined }],
    'What is offered: a list of `{names: [...]}`. Names are ' +
      `${Object.keys(meanings)
        .map((name) => `\`${name}\``)
        .join(', ')}. ` +
      '`client` includes the admin API and media, `federation` includes media.',
    { defaultText: '`client`' },
  ),
  ...inert({
    additional_resources: 'plug-ins written in Python',
    tag: 'a name of the listener in logs',
    request_id_header: 'a header that names requests in logs',
  }),
};
type GivenListener = ValuesOf<typeof members>;

const homeListener: GivenListener = {
  ...defaultsOf(members),
  port: 8008,
  bind_addresses: ['127.0.0.1'],
  resources: [{ names: ['client', 'federation', 'media', 'health'], compress: undefined }],
};

export const listenersSection = section('Listeners', 'Where the server answers.', {
  listeners: option(
    list(mappingOf(members)),
    [homeListener],
    'Ports and unix sockets, each with what it offers.',
    {
      members,
      defaultText: '`client`, `federation`, `media` and `health` on 127.0.0.1:8008',
      example: `
  - port: 8008
    bind_addresses: [127.0.0.1]
    x_forwarded: true
    resources:
      - names: [client, federation]
  - path: /run/lattice/metrics.sock
    type: metrics`,
    },
  ),
  worker_listeners: optional(
    list(mappingOf(members)),
    'The same for a worker, in its own file, in place of `listeners`.',
    { members, defaultText: 'none' },
  ),
  tls_certificate_path: optional(text, 'PEM file of the certificate and its chain.'),
  tls_private_key_path: optional(text, 'PEM file of the certificate’s key.'),
});

function addressesOf(given: GivenListener): string[] {
  const one = given.bind_address === null ? [everyAddress()] : [given.bind_address];
  const addresses = given.bind_addresses?.length ? given.bind_addresses : one;
  // `::` includes IPv4, so 0.0.0.0 beside it would be taken already.
  return addresses.includes('::') ? addresses.filter((one) => one !== '0.0.0.0') : addresses;
}

function readListener(
  loader: OptionLoader,
  given: GivenListener,
  at: Reading,
): ListenerConfig | null {
  if (given.type === 'manhole') {
    at.inert();
    return null;
  }
  if (at.hasProblem) return null;
  if (given.path === null && given.port === null) {
    at.problem('a listener needs a port or a path');
    return null;
  }
  if (given.path !== null && given.tls) at.within('tls').problem('a unix socket has no TLS');
  const names = given.resources.flatMap((entry) => entry.names.flatMap((name) => meanings[name]));
  return {
    at:
      given.path === null
        ? { port: given.port!, addresses: addressesOf(given) }
        : { path: given.path, mode: given.mode },
    resources: given.type === 'metrics' ? ['metrics', 'health'] : [...new Set<ResourceName>(names)],
    tls: given.tls,
    isForwarded: given.x_forwarded,
  };
}

const placesOf = ({ at }: ListenerConfig): string[] =>
  'path' in at
    ? [at.path]
    : at.port === 0
      ? []
      : at.addresses.map((address) => `port ${at.port} of ${address}`);

/** A listener for nothing but calls of other processes. */
const isForCalls = ({ resources }: GivenListener) =>
  resources.length > 0 &&
  resources.every(({ names }) => names.every((name) => name === 'replication'));

export function readListeners(
  loader: OptionLoader,
  values: ValuesOf<typeof listenersSection.options>,
  { isOnlyOnLoopback, isWorker }: { isOnlyOnLoopback: boolean; isWorker: boolean },
) {
  const listeners: ListenerConfig[] = [];
  const taken = new Set<string>();
  let callsAt: CallAddress | null = null;
  const option = isWorker ? 'worker_listeners' : 'listeners';
  for (const [i, given] of (values[option] ?? []).entries()) {
    const listener = readListener(loader, given, loader.at(option, i));
    if (!listener) continue;
    for (const place of placesOf(listener)) {
      if (taken.has(place)) loader.at(option, i).problem(`${place} is another listener’s already`);
      taken.add(place);
    }
    if (isForCalls(given)) {
      callsAt = listener.at;
      continue;
    }
    listeners.push(listener);
    const { at } = listener;
    const open = 'addresses' in at ? at.addresses.filter((one) => !isLoopback(one)) : [];
    if (isOnlyOnLoopback && open.length > 0) {
      const message = `must be in 127.0.0.0/8 or ::1 because of only_on_loopback, not ${open.join(', ')}`;
      loader.at(option, i, 'bind_addresses').problem(message);
    }
    if (listener.tls && !(values.tls_certificate_path && values.tls_private_key_path)) {
      const message = 'needs tls_certificate_path and tls_private_key_path';
      loader.at(option, i, 'tls').problem(message);
    }
  }
  const tls = {
    certificatePath: values.tls_certificate_path,
    keyPath: values.tls_private_key_path,
  };
  return { listeners, callsAt, tls };
}
