import { byteCount } from './bytes.ts';
import { flag, list, mapping, text } from './kinds.ts';
import { group, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { addressRange } from './outbound.ts';

export const previewsSection = section('Previews of links', 'What clients show of links.', {
  url_preview_enabled: option(flag, false, 'The server fetches pages to make previews of them.'),
  url_preview_ip_range_blacklist: optional(
    list(addressRange),
    'Addresses that are never fetched from. Needed when `url_preview_enabled` is set.',
    { example: "['10.0.0.0/8', '127.0.0.0/8', '192.168.0.0/16', '::1/128', 'fc00::/7']" },
  ),
  url_preview_ip_range_whitelist: option(
    list(addressRange),
    [],
    'Exceptions to `url_preview_ip_range_blacklist`.',
  ),
  url_preview_url_blacklist: option(
    list(mapping),
    [],
    'URLs that are not fetched. Each entry has patterns for `scheme`, `netloc`, `hostname`, ' +
      '`port`, `path`, `query`, `fragment`, `username` or `password`, all of which match: with ' +
      '`*` and `?`, or regular expressions that begin with `^`.',
    { example: "[{netloc: '*.example.org'}, {username: '*'}]" },
  ),
  max_spider_size: option(byteCount, 10 * 2 ** 20, 'Most bytes that are read of a page or image.', {
    defaultText: '`10M`',
  }),
  url_preview_accept_language: option(
    list(text),
    ['en'],
    'Languages in which pages are asked for, with weights as in `Accept-Language`.',
    { example: "['en-UK', 'fr;q=0.9', '*;q=0.7']" },
  ),
  oembed: group(
    {
      disable_default_providers: option(flag, false, 'Only additional providers are asked.'),
      additional_providers: option(
        list(text),
        [],
        'Files with lists of providers, in the form of https://oembed.com/providers.json.',
      ),
    },
    'Services that tell what is behind their URLs.',
  ),
});

const partNames = [
  'scheme',
  'netloc',
  'hostname',
  'port',
  'path',
  'query',
  'fragment',
  'username',
  'password',
];

/** What previews are configured by; null: there are none. */
export function readPreviews(
  loader: OptionLoader,
  values: ValuesOf<typeof previewsSection.options>,
) {
  for (const [i, patterns] of values.url_preview_url_blacklist.entries()) {
    const at = loader.at('url_preview_url_blacklist', i);
    for (const [part, pattern] of Object.entries(patterns)) {
      if (!partNames.includes(part)) at.within(part).unknownName(partNames);
      else if (typeof pattern !== 'string') at.within(part).problem('must be text');
      else if (!isPattern(pattern)) at.within(part).problem('is no regular expression');
    }
  }
  if (!values.url_preview_enabled) return null;
  const { url_preview_ip_range_blacklist: deny } = values;
  if (deny === null) {
    loader.at('url_preview_ip_range_blacklist').problem('must be set when previews are enabled');
  }
  return {
    deny: deny ?? [],
    allow: values.url_preview_ip_range_whitelist,
    deniedUrls: values.url_preview_url_blacklist as Record<string, string>[],
    bytesMax: values.max_spider_size,
    languages: values.url_preview_accept_language,
    oembed: {
      hasDefaults: !values.oembed.disable_default_providers,
      files: values.oembed.additional_providers,
    },
  };
}

function isPattern(pattern: string): boolean {
  if (!pattern.startsWith('^')) return true;
  try {
    return new RegExp(pattern) instanceof RegExp;
  } catch {
    return false;
  }
}
