import { parseRange } from '../outbound/address-policy.ts';
import { version } from '../kernel/version.ts';
import { kind, list, text } from './kinds.ts';
import { inert, option, optional, section, type ValuesOf } from './option.ts';

/** An address such as `192.0.2.1` or a range such as `10.0.0.0/8`. */
export const addressRange = kind('an address or a range such as 10.0.0.0/8', (value) =>
  typeof value === 'string' && parseRange(value) !== null ? value : undefined,
);

/** Addresses that are no host of the public internet (IANA's special-purpose registries). */
const specialRanges: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '192.0.0.0/24',
  '169.254.0.0/16',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '192.0.2.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '::1/128',
  'fe80::/10',
  'fc00::/7',
  '2001:db8::/32',
  'ff00::/8',
  'fec0::/10',
];

export const outboundSection = section(
  'Outgoing requests',
  'What the server asks of others: previews, push gateways, identity servers.',
  {
    ip_range_blacklist: option(
      list(addressRange),
      [...specialRanges],
      'Addresses that are never contacted on behalf of users or of other servers.',
      { defaultText: 'private, local and reserved ranges' },
    ),
    ip_range_whitelist: option(
      list(addressRange),
      [],
      'Exceptions to `ip_range_blacklist`, for example a push gateway in one’s own network.',
      { example: '[192.168.1.1]' },
    ),
    user_agent_suffix: optional(text, 'Text added to the `User-Agent` of outgoing requests.'),
    ...inert({
      http_proxy: 'proxy of outgoing HTTP requests',
      https_proxy: 'proxy of outgoing HTTPS requests',
      no_proxy_hosts: 'hosts that are reached without the proxy',
    }),
  },
);

/** What `createOutboundHttp` is made with. */
export function readOutbound(values: ValuesOf<typeof outboundSection.options>) {
  const suffix = values.user_agent_suffix ? ` ${values.user_agent_suffix}` : '';
  return {
    deny: values.ip_range_blacklist,
    allow: values.ip_range_whitelist,
    userAgent: `Lattice/${version}${suffix}`,
  };
}
