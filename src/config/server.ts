import { resolve } from 'node:path';
import { parseSigningKey } from '../matrix/signing.ts';
import { flag, mapping, secretText, text } from './kinds.ts';
import { inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

export const serverSection = section('Server', 'Who the server is and what it keeps where.', {
  server_name: option(
    text,
    '',
    'The part of user ids after the colon. It cannot be changed once there are users.',
    { defaultText: 'none, it is needed', example: 'example.org' },
  ),
  public_baseurl: optional(
    text,
    'The URL by which clients reach the server from outside, without a path.',
    { example: 'https://matrix.example.org' },
  ),
  data_dir: option(
    text,
    '',
    'The folder of everything the server keeps by itself: its database and its keys.',
    { defaultText: 'the folder of the first configuration file', example: '/var/lib/lattice' },
  ),
  signing_key: optional(
    secretText,
    'The key that signs events itself, as it is in the file of `signing_key_path`, which is then not ' +
      'read. Who can read the configuration can speak for the server: a file of its own is better.',
  ),
  signing_key_path: option(
    text,
    '',
    'The file of the key that signs events, made at the first start when there is none. One line: ' +
      '`ed25519`, a version, and the unpadded base64 of the seed.',
    { defaultText: '`signing.key` in `data_dir`', example: '/var/lib/lattice/signing.key' },
  ),
  pid_file: optional(text, 'A file to write the process id to while the server runs.'),
  only_on_loopback: option(
    flag,
    false,
    'Refuse to start when a listener could be reached from another machine. ' +
      '`generate-config --open` sets it, so that a server without limits stays at home.',
  ),
  admin_contact: optional(
    text,
    'How to reach the admin. A `mailto:` address is shown by `/.well-known/matrix/support`.',
    { example: 'mailto:admin@example.org' },
  ),
  serve_server_wellknown: option(
    flag,
    false,
    'Answer `/.well-known/matrix/server` with port 443 of `server_name`, so that other servers ' +
      'need not use port 8448.',
  ),
  extra_well_known_client_content: option(
    mapping,
    {},
    'More members for the answer of `/.well-known/matrix/client`.',
  ),
  policy_server_public_keys: optional(
    mapping,
    'The public keys of the policy server that has the name of this server, for rooms to name in ' +
      '`m.room.policy`: algorithms with keys in unpadded base64, `ed25519` among them. Answered by ' +
      '`/.well-known/matrix/policy_server`.',
    { example: '{ed25519: 6yhHGKhCiXTSEN2ksjV7kX/N6rBQZ3Xb+M7LlC6NS+s}' },
  ),
  ...inert({
    daemonize: 'fork into the background',
    print_pidfile: 'print the path of the process id file',
    web_client_location: 'where `GET /` redirects to',
    soft_file_limit: 'limit of open files to set',
    manhole: 'a debugging shell',
    manhole_settings: 'user, password and keys of that shell',
    use_frozen_dicts: 'a debugging aid of Python',
    gc_thresholds: 'tuning of Python',
    gc_min_interval: 'tuning of Python',
    modules: 'plug-ins written in Python',
    server_context: 'a tag of logs and traces',
  }),
});

const serverNamePattern =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]|[0-9a-z.-]{1,255})(?::\d{1,5})?$/;

function checkServerName(loader: OptionLoader, serverName: string): void {
  const at = loader.at('server_name');
  if (at.hasProblem) return;
  if (serverName === '') at.problem('this option is needed');
  else if (!serverNamePattern.test(serverName)) {
    at.problem(`must be a server name (lower case, no scheme, no path), not ${serverName}`);
  }
}

function readBaseUrl(loader: OptionLoader, given: string | null): string | null {
  if (given === null) return null;
  const protocol = URL.canParse(given) ? new URL(given).protocol : '';
  if (protocol !== 'https:' && protocol !== 'http:') {
    loader.at('public_baseurl').problem(`must begin with https:// or http://, not ${given}`);
  }
  return given.replace(/\/+$/, '');
}

function checkSigningKey(loader: OptionLoader, given: string | null): void {
  if (given === null) return;
  try {
    parseSigningKey(given);
  } catch (error) {
    loader.at('signing_key').problem((error as Error).message);
  }
}

/** Of an ed25519 key. */
const keyBytes = 32;

function readPolicyServerKeys(
  loader: OptionLoader,
  given: Record<string, unknown> | null,
): Readonly<Record<string, string>> | null {
  if (given === null) return null;
  const keys: Record<string, string> = {};
  for (const [algorithm, key] of Object.entries(given)) {
    if (typeof key === 'string' && /^[\w+/-]+$/.test(key)) keys[algorithm] = key;
    else {
      const at = loader.at('policy_server_public_keys').within(algorithm);
      at.problem('must be a key in unpadded base64');
    }
  }
  if (Buffer.from(keys['ed25519'] ?? '', 'base64').length !== keyBytes) {
    const at = loader.at('policy_server_public_keys').within('ed25519');
    at.problem(`must be there, a key of ${keyBytes} bytes`);
  }
  return keys;
}

const mailto = 'mailto:';

/** `folder`: of the first configuration file. */
export function readServer(
  loader: OptionLoader,
  values: ValuesOf<typeof serverSection.options>,
  folder: string,
  identityServer: string | null,
) {
  const { server_name: serverName, admin_contact: contact } = values;
  checkServerName(loader, serverName);
  checkSigningKey(loader, values.signing_key);
  const dataDir = resolve(values.data_dir || folder);
  const wellKnown: WellKnownConfig = {
    server: values.serve_server_wellknown ? `${serverName.replace(/:\d+$/, '')}:443` : null,
    client: {
      ...(identityServer === null ? {} : { 'm.identity_server': { base_url: identityServer } }),
      ...values.extra_well_known_client_content,
    },
    support: contact?.startsWith(mailto)
      ? { contacts: [{ role: 'm.role.admin', email_address: contact.slice(mailto.length) }] }
      : null,
    policyServerKeys: readPolicyServerKeys(loader, values.policy_server_public_keys),
  };
  return {
    serverName,
    publicBaseUrl: readBaseUrl(loader, values.public_baseurl),
    dataDir,
    signingKey: values.signing_key,
    signingKeyPath: values.signing_key_path || `${dataDir}/signing.key`,
    pidFile: values.pid_file,
    wellKnown,
  };
}

/** What `/.well-known/matrix/*` answers. */
export interface WellKnownConfig {
  server: string | null;
  client: Record<string, unknown>;
  support: Record<string, unknown> | null;
  /** Algorithm → unpadded base64. */
  policyServerKeys: Readonly<Record<string, string>> | null;
}
