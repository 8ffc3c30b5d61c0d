import { Parser } from 'htmlparser2';
import { summaryOf } from './summary.ts';

/** What a page says of itself. */
export interface Page {
  /** Open Graph names, `og:title` and so on, with their values. */
  og: Record<string, string>;
  /** Where the page says more, as oEmbed in JSON. */
  oembedUrl: string | null;
}

/** Parts of a page that are not what it is about. */
const skipped = new Set([
  'header',
  'nav',
  'aside',
  'footer',
  'script',
  'noscript',
  'style',
  'svg',
  'iframe',
  'video',
  'canvas',
  'img',
  'picture',
  'form',
  'select',
  'template',
]);
const voidTags = new Set(['img']);
const blocks = new Set([
  'p',
  'div',
  'br',
  'li',
  'h1',
  'h2',
  'h3',
  'h4',
  'td',
  'section',
  'article',
]);
/** Text that is gathered for a description. */
const textMax = 3_000;
/** Bounds of what a page can make a preview carry. */
const tagsMax = 50;
const valueMax = 1_000;
/** Smaller pictures are buttons and counters. */
const sideMin = 10;
/** Parsed before it is asked whether there is enough. */
const sliceLength = 32 * 1024;

const twitterAsOg: Record<string, string> = { 'twitter:site': 'og:site_name' };
const leftOut = new Set(['twitter:card', 'twitter:creator']);

interface Found {
  og: Map<string, string>;
  twitter: Map<string, string>;
  description: string | null;
  metaImage: string | null;
  image: string | null;
  icon: string | null;
  title: string;
  text: string;
  oembedUrl: string | null;
  base: string | null;
}

function readMeta(found: Found, attributes: Record<string, string>): void {
  const { content } = attributes;
  if (content === undefined || content.trim() === '') return;
  const value = content.trim();
  const name = (attributes['property'] ?? attributes['name'] ?? '').toLowerCase();
  const hasRoom = found.og.size < tagsMax && value.length <= valueMax;
  if (name.startsWith('og:') && hasRoom && !found.og.has(name)) found.og.set(name, value);
  else if (name.startsWith('twitter:') && !leftOut.has(name) && hasRoom) {
    const as = twitterAsOg[name] ?? name.replace('twitter:', 'og:');
    if (!found.twitter.has(as) && found.twitter.size < tagsMax) found.twitter.set(as, value);
  } else if (name === 'description') found.description ??= value;
  if (attributes['itemprop']?.toLowerCase() === 'image') found.metaImage ??= value;
}

function readLink(found: Found, { rel = '', type = '', href }: Record<string, string>): void {
  if (!href) return;
  const kinds = rel.toLowerCase().split(/\s+/);
  if (kinds.includes('alternate') && type.toLowerCase() === 'application/json+oembed') {
    found.oembedUrl ??= href;
  } else if (kinds.includes('icon')) found.icon ??= href;
}

function readImage(found: Found, { src, width, height }: Record<string, string>): void {
  const isTiny = [width, height].some((side) => side !== undefined && parseInt(side, 10) < sideMin);
  if (src && !isTiny) found.image ??= src;
}

function parse(html: string, found: Found): void {
  let skippedDepth = 0;
  let isTitle = false;
  let isBody = false;
  const parser = new Parser({
    onopentag(name, attributes) {
      if (name === 'meta') readMeta(found, attributes);
      else if (name === 'link') readLink(found, attributes);
      else if (name === 'img') readImage(found, attributes);
      else if (name === 'base') found.base ??= attributes['href'] ?? null;
      else if (name === 'title') isTitle = found.title === '' && skippedDepth === 0;
      else if (name === 'body') isBody = true;
      if (skipped.has(name) && !voidTags.has(name)) skippedDepth++;
      else if (blocks.has(name)) found.text += '\n';
    },
    ontext(text) {
      if (isTitle) found.title += text;
      else if (isBody && skippedDepth === 0 && found.text.length < textMax) found.text += text;
    },
    onclosetag(name) {
      if (name === 'title') isTitle = false;
      if (skipped.has(name) && !voidTags.has(name)) skippedDepth = Math.max(0, skippedDepth - 1);
      else if (blocks.has(name)) found.text += '\n';
    },
  });
  for (let at = 0; at < html.length && found.text.length < textMax; at += sliceLength) {
    parser.write(html.slice(at, at + sliceLength));
  }
  parser.end();
}

/** Reads what a page of HTML says of itself; URLs become absolute. `url`: where the page came from. */
export function readPage(html: string, url: string): Page {
  const found: Found = {
    og: new Map(),
    twitter: new Map(),
    description: null,
    metaImage: null,
    image: null,
    icon: null,
    title: '',
    text: '',
    oembedUrl: null,
    base: null,
  };
  parse(html, found);
  const base = absolute(found.base, url) ?? url;
  const og = new Map([...found.twitter, ...found.og]);
  const fallback = (name: string, value: string | null) => {
    if (!og.has(name) && value) og.set(name, value.slice(0, valueMax));
  };
  fallback('og:title', found.title.trim() || /<h1[^>]*>([^<]+)</i.exec(html)?.[1]?.trim() || null);
  fallback('og:image', found.metaImage ?? found.image ?? found.icon);
  fallback('og:description', found.description ?? found.text);
  const description = og.get('og:description');
  const summary = description === undefined ? null : summaryOf(description);
  if (summary === null) og.delete('og:description');
  else og.set('og:description', summary);
  const image = absolute(og.get('og:image') ?? null, base);
  if (image === null) og.delete('og:image');
  else og.set('og:image', image);
  return { og: Object.fromEntries(og), oembedUrl: absolute(found.oembedUrl, base) };
}

/** Null for none, and for what is no URL. */
function absolute(href: string | null, base: string): string | null {
  return href !== null && URL.canParse(href.trim(), base) ? new URL(href.trim(), base).href : null;
}
