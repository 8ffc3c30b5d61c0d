import { readFileSync } from 'node:fs';
import { count, duration, flag, kind, list, positive, text } from './kinds.ts';
import { group, inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { addressRange, type readOutbound } from './outbound.ts';

const tlsVersions = ['1', '1.0', '1.1', '1.2', '1.3'];
const tlsVersion = kind('a version of TLS, 1, 1.1, 1.2 or 1.3', (value) =>
  tlsVersions.includes(String(value)) ? String(value) : undefined,
);

const minuteMs = 60_000;
const weekMs = 7 * 24 * 60 * minuteMs;

export const federationSection = section('Federation', 'Other servers.', {
  federation: group(
    {
      client_timeout: option(duration, minuteMs, 'How long another server may take to answer.', {
        defaultText: '`60s`',
      }),
      destination_min_retry_interval: option(
        duration,
        10 * minuteMs,
        'How long a server that did not answer is left alone at first.',
        { defaultText: '`10m`' },
      ),
      destination_retry_multiplier: option(
        positive,
        2,
        'By how much that is longer after each further failure.',
      ),
      destination_max_retry_interval: option(duration, weekMs, 'The longest it becomes.', {
        defaultText: '`7d`',
      }),
      max_long_retries: option(
        count,
        10,
        'How often a transaction is tried again, soon, before its server is left alone.',
      ),
      max_long_retry_delay: option(duration, minuteMs, 'The longest pause between these tries.', {
        defaultText: '`60s`',
      }),
      ...inert({
        max_short_retry_delay: 'the longest pause between tries of a request',
        max_short_retries: 'tries of a request',
      }),
    },
    'Time-outs and retries.',
  ),
  federation_verify_certificates: option(
    flag,
    true,
    'Other servers’ certificates are checked. Without, anybody can pass for them.',
  ),
  federation_client_minimum_tls_version: option(
    tlsVersion,
    '1.2',
    'The lowest version of TLS to other servers. Versions before 1.2 stand for 1.2.',
  ),
  federation_certificate_verification_whitelist: option(
    list(text),
    [],
    'Hosts whose certificates are not checked, with `*` and `?`.',
    { example: "['*.onion', test.example.org]" },
  ),
  federation_ip_range_blacklist: optional(
    list(addressRange),
    'Addresses of other servers that are never contacted, in place of `ip_range_blacklist`. ' +
      '`ip_range_whitelist` has exceptions to these too.',
    { defaultText: 'as `ip_range_blacklist`' },
  ),
  federation_custom_ca_list: option(
    list(text),
    [],
    'Files of the authorities (PEM) that sign other servers’ certificates, in place of those of the ' +
      'system: for servers of a private network.',
    { example: '[/etc/lattice/our-ca.pem]' },
  ),
  federation_domain_whitelist: optional(
    list(text),
    'The only servers that are contacted, by their names. An empty list: none.',
    { defaultText: 'all servers', example: '[example.org, example.com]' },
  ),
  allow_device_name_lookup_over_federation: option(
    flag,
    false,
    'Other servers may read the names that users have given their devices.',
  ),
  federation_rr_transactions_per_room_per_second: option(
    positive,
    50,
    'Transactions with read receipts of a room a second, over all servers; more wait.',
  ),
  federation_whitelist_endpoint_enabled: option(
    flag,
    false,
    'Users may read `federation_domain_whitelist`, at ' +
      '`/_synapse/client/v1/config/federation_whitelist`.',
  ),
  federation_metrics_domains: option(
    list(text),
    [],
    'Servers with metrics of their own: when the newest event was made that came from there, and went ' +
      'there (`synapse_federation_last_received_pdu_time`, `…_last_sent_pdu_time`).',
    { example: '[matrix.org, example.com]' },
  ),
});

function readAuthority(loader: OptionLoader, path: string, index: number): string {
  const at = loader.at('federation_custom_ca_list', index);
  try {
    const pem = readFileSync(path, 'utf8');
    if (!pem.includes('-----BEGIN CERTIFICATE-----')) at.problem(`${path} has no certificate`);
    return pem;
  } catch (error) {
    at.problem(`cannot be read: ${(error as Error).message}`);
    return '';
  }
}

/** What `createFederationClient` is made with. `outbound`: what holds for all outgoing requests. */
export function readFederation(
  loader: OptionLoader,
  values: ValuesOf<typeof federationSection.options>,
  outbound: ReturnType<typeof readOutbound>,
) {
  const { federation } = values;
  const factor = federation.destination_retry_multiplier;
  if (factor < 1) {
    loader.at('federation', 'destination_retry_multiplier').problem('must be 1 or more');
  }
  const authorities = values.federation_custom_ca_list.map((path, i) =>
    readAuthority(loader, path, i),
  );
  return {
    ...outbound,
    deny: values.federation_ip_range_blacklist ?? outbound.deny,
    ...(authorities.length > 0 ? { ca: authorities } : {}),
    verifiesCertificates: values.federation_verify_certificates,
    minTlsVersion:
      values.federation_client_minimum_tls_version === '1.3'
        ? ('TLSv1.3' as const)
        : ('TLSv1.2' as const),
    unverifiedHosts: values.federation_certificate_verification_whitelist,
    allowedServers: values.federation_domain_whitelist,
    tellsAllowedServers: values.federation_whitelist_endpoint_enabled,
    metricsDomains: values.federation_metrics_domains,
    tellsDeviceNames: values.allow_device_name_lookup_over_federation,
    timeoutMs: federation.client_timeout,
    backOff: {
      minMs: federation.destination_min_retry_interval,
      factor,
      maxMs: federation.destination_max_retry_interval,
    },
    sender: {
      retriesMax: federation.max_long_retries,
      retryDelayMsMax: federation.max_long_retry_delay,
      receiptsPerSecond: values.federation_rr_transactions_per_room_per_second,
    },
  };
}
