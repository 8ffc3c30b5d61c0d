import { readFile } from 'node:fs/promises';
import { readPage } from './read-page.ts';
import { summaryOf } from './summary.ts';

/** A service, in the form of https://oembed.com/providers.json. */
interface Provider {
  endpoints: { schemes: RegExp[]; url: string }[];
}

interface GivenProvider {
  endpoints?: { schemes?: string[]; url?: string; formats?: string[] }[];
}

/** Services whose pages say little without a browser. */
const defaults: readonly GivenProvider[] = [
  {
    endpoints: [
      {
        schemes: ['x.com', 'twitter.com'].flatMap((host) => [
          `https://${host}/*/status/*`,
          `https://*.${host}/*/status/*`,
        ]),
        url: 'https://publish.x.com/oembed',
      },
      {
        schemes: ['https://youtube.com/shorts/*', 'https://*.youtube.com/shorts/*'],
        url: 'https://www.youtube.com/oembed',
      },
    ],
  },
];

function schemePattern(scheme: string): RegExp {
  const escaped = scheme.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '[^?#]*');
  return new RegExp(`^${escaped.replace(/^https?:/, 'https?:')}`);
}

function compile({ endpoints = [] }: GivenProvider): Provider {
  return {
    endpoints: endpoints.flatMap(({ schemes = [], url, formats }) => {
      const isUsable = url !== undefined && (formats?.includes('json') ?? true);
      if (!isUsable) return [];
      return [{ schemes: schemes.map(schemePattern), url: url.replace('{format}', 'json') }];
    }),
  };
}

/** Finds where a service tells what is behind a URL; null when none is known for it. */
export type FindOembed = (url: string) => string | null;

/** Reads the lists of providers. Rejects when a file cannot be read. */
export async function loadOembed(config: {
  hasDefaults: boolean;
  files: readonly string[];
}): Promise<FindOembed> {
  const given = await Promise.all(
    config.files.map(async (path) => JSON.parse(await readFile(path, 'utf8')) as GivenProvider[]),
  );
  const providers = [...(config.hasDefaults ? defaults : []), ...given.flat()].map(compile);
  return (url) => {
    const endpoints = providers.flatMap((provider) => provider.endpoints);
    const found = endpoints.find(({ schemes }) => schemes.some((scheme) => scheme.test(url)));
    if (!found) return null;
    const asked = new URL(found.url);
    asked.searchParams.set('url', url);
    asked.searchParams.set('format', 'json');
    return asked.href;
  };
}

/** Longer texts are cut. */
const textMax = 1_000;

const stringOf = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
const textOf = (value: unknown) => stringOf(value)?.slice(0, textMax).toWellFormed() ?? null;

/** Services name no version, though they must, or a number. */
const isKnownVersion = (version: unknown = 1) => version === '1.0' || version === 1;

const typesAsOg = new Map([
  ['video', 'video.other'],
  ['link', 'website'],
]);

/** The text of a piece of HTML, as a description. */
function describe(html: string, url: string): string | null {
  return summaryOf(readPage(`<body>${html}</body>`, url).og['og:description'] ?? '');
}

/** An answer of such a service as Open Graph; null when it is none. `url`: what was asked about. */
export function readOembed(json: unknown, url: string): Record<string, string> | null {
  if (typeof json !== 'object' || json === null) return null;
  const answer = json as Record<string, unknown>;
  if (!isKnownVersion(answer['version'])) return null;
  const { type } = answer;
  const html = stringOf(answer['html']);
  const image = stringOf(type === 'photo' ? answer['url'] : answer['thumbnail_url']);
  const description = type === 'rich' && html !== null ? describe(html, url) : null;
  const og: Record<string, string | null> = {
    'og:type': (typeof type === 'string' && typesAsOg.get(type)) || null,
    'og:title': textOf(answer['title']) ?? textOf(answer['author_name']),
    'og:site_name': textOf(answer['provider_name']),
    'og:description': description,
    'og:image': image !== null && URL.canParse(image, url) ? new URL(image, url).href : null,
  };
  const said = Object.entries(og).filter((entry): entry is [string, string] => entry[1] !== null);
  return said.length === 0 ? null : { 'og:url': url, ...Object.fromEntries(said) };
}
