import { fromBase64 } from '../matrix/base64.ts';
import { isServerName } from '../matrix/ids.ts';
import { duration, flag, kind, list, text, type Kind } from './kinds.ts';
import { inert, mappingOf, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

const publicKeyBytes = 32;
const dayMs = 24 * 60 * 60 * 1000;

const publicKey = kind('an ed25519 public key in unpadded base64', (value) =>
  typeof value === 'string' && fromBase64(value)?.length === publicKeyBytes ? value : undefined,
);
const keyId = /^ed25519:\w+$/;
const serverName = kind('a server name', (value) =>
  typeof value === 'string' && isServerName(value) ? value : undefined,
);
const timestamp = kind('milliseconds since 1970', (value) =>
  Number.isSafeInteger(value) ? (value as number) : undefined,
);

/** A mapping from ids of keys. */
const byKeyId = <T>(item: Kind<T>): Kind<Map<string, T>> => ({
  allowed: `a mapping from ids such as ed25519:a_abcd, each to ${item.allowed}`,
  read(value, at) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return at.problem('must be a mapping from ids of keys');
    }
    const entries = Object.entries(value).flatMap(([id, given]): [string, T][] => {
      if (!keyId.test(id)) at.within(id).problem('must be named ed25519:<version>');
      const read = item.read(given, at.within(id));
      return read === undefined ? [] : [[id, read]];
    });
    return new Map(entries);
  },
});

const oldKeyMembers = {
  key: option<string>(publicKey, '', 'The public key, unpadded base64.'),
  expired_ts: option<number>(timestamp, 0, 'When it was last used, milliseconds since 1970.'),
};

const notaryMembers = {
  server_name: option<string>(serverName, '', 'Its name.'),
  verify_keys: optional(
    byKeyId(publicKey),
    'Its keys, one of which must have signed what it says. Without them its certificate is enough.',
  ),
  accept_keys_insecurely: option(
    flag,
    false,
    'Believe it without `verify_keys` even where `federation_verify_certificates` is off.',
  ),
};

const matrixOrg = { server_name: 'matrix.org', verify_keys: null, accept_keys_insecurely: false };

export const serverKeysSection = section('Keys of servers', 'What servers prove who they are by.', {
  key_refresh_interval: option(
    duration,
    dayMs,
    'For how long other servers may take the published key for valid before they ask again.',
    { defaultText: '`1d`' },
  ),
  old_signing_keys: option(
    byKeyId(mappingOf(oldKeyMembers)),
    new Map(),
    'Keys that this server no longer signs with, so that its old events can still be checked.',
    { defaultText: 'none', members: oldKeyMembers },
  ),
  trusted_key_servers: option(
    list(mappingOf(notaryMembers)),
    [matrixOrg],
    'Servers that are asked for the keys of servers that cannot be asked themselves. `[]`: none.',
    {
      defaultText: '`[{server_name: matrix.org}]`',
      example: '\n  - server_name: example.org',
      members: notaryMembers,
    },
  ),
  key_server_signing_keys_path: optional(
    text,
    'The file of the key that signs what is passed on of other servers’ keys.',
    { defaultText: 'the signing key of the server' },
  ),
  ...inert({ suppress_key_server_warning: 'a warning about notaries, which there is none of' }),
});

/** What keys of servers are published and fetched by. */
export function readServerKeys(
  loader: OptionLoader,
  values: ValuesOf<typeof serverKeysSection.options>,
  verifiesCertificates: boolean,
) {
  const trusted = values.trusted_key_servers.flatMap((notary, i) => {
    const { server_name: name, verify_keys: keys, accept_keys_insecurely: insecurely } = notary;
    if (name === '') loader.at('trusted_key_servers', i).problem('needs a `server_name`');
    // Without certificates anybody could pass for the notary.
    const isProven = keys !== null || verifiesCertificates || insecurely;
    if (!isProven && loader.isGiven('trusted_key_servers')) {
      loader
        .at('trusted_key_servers', i)
        .problem('needs `verify_keys`: no certificates are checked');
    }
    return isProven ? [{ serverName: name, keys }] : [];
  });
  const old = [...values.old_signing_keys].map(([id, { key, expired_ts: expiredTs }]) => {
    if (key === '') loader.at('old_signing_keys', id).problem('needs a `key`');
    return [id, { publicKey: key, validUntilTs: expiredTs }] as const;
  });
  return {
    oldKeys: new Map(old),
    validMs: values.key_refresh_interval,
    trusted,
    notaryKeyPath: values.key_server_signing_keys_path,
  };
}
