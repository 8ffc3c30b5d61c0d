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
const headings = new Set(['h1', 'h2', 'h3']);
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
/** Images can be URLs by themselves (RFC 2397). */
const imageUrlMax = 256 * 1024;
/** Smaller pictures are buttons and counters. */
const sideMin = 10;
/** The parser becomes slow in deeper ones; no page that is read by people is so deep. */
const depthMax = 1_000;
/** Parsed before it is asked whether there is enough. */
const sliceLength = 32 * 1024;

const twitterAsOg: Record<string, string> = { 'twitter:site': 'og:site_name' };
const leftOut = new Set(['twitter:card', 'twitter:creator']);

interface Image {
  url: string;
  /** In pixels, as far as the page says it; 0: it does not. */
  area: number;
}

interface Found {
  og: Map<string, string>;
  twitter: Map<string, string>;
  description: string | null;
  metaImage: string | null;
  image: Image | null;
  icon: string | null;
  title: string;
  /** The first one. */
  heading: string;
  text: string;
  oembedUrl: string | null;
  base: string | null;
}

function readMeta(found: Found, attributes: Record<string, string>): void {
  const { content } = attributes;
  if (content === undefined || content.trim() === '') return;
  const value = content.trim();
  const name = (attributes['property'] ?? attributes['name'] ?? '').toLowerCase();
  const lengthMax = name.endsWith(':image') ? imageUrlMax : valueMax;
  const hasRoom = found.og.size < tagsMax && value.length <= lengthMax;
  if (/^(?:og|article|profile):/.test(name)) {
    if (hasRoom && !found.og.has(name)) found.og.set(name, value);
  } else if (name.startsWith('twitter:') && !leftOut.has(name) && hasRoom) {
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

/** Images inside of pages stand mostly for others that a script loads later. */
const isData = (url: string) => /^\s*data:/i.test(url);

/** The largest counts, else the first. */
function readImage(found: Found, { src, width, height }: Record<string, string>): void {
  const sides = [width, height].map((side) => parseInt(side ?? '', 10));
  if (!src || sides.some((side) => side < sideMin)) return;
  const area = sides[0]! * sides[1]! || 0;
  const { image } = found;
  const isBetter =
    !image || area > image.area || (area === image.area && isData(image.url) && !isData(src));
  if (isBetter) found.image = { url: src, area };
}

/** Text goes on with single spaces, so that what nobody sees takes no room. */
function addText(found: Found, text: string): void {
  const plain = text.replace(/\s+/g, ' ');
  found.text += /(?:^|\s)$/.test(found.text.slice(-1)) ? plain.replace(/^ /, '') : plain;
}

function endBlock(found: Found): void {
  if (!found.text.endsWith('\n') && found.text !== '') found.text += '\n';
}

function parse(html: string, found: Found): void {
  let depth = 0;
  let skippedDepth = 0;
  /** What the text of now is, besides text. */
  let inside: 'title' | 'heading' | null = null;
  const parser = new Parser({
    onopentag(name, attributes) {
      depth++;
      if (name === 'meta') readMeta(found, attributes);
      else if (name === 'link') readLink(found, attributes);
      else if (name === 'img') readImage(found, attributes);
      else if (name === 'base') found.base ??= attributes['href'] ?? null;
      else if (name === 'title') inside = 'title';
      else if (headings.has(name) && found.heading === '') inside = 'heading';
      if (skipped.has(name) && !voidTags.has(name)) skippedDepth++;
      else if (blocks.has(name)) endBlock(found);
    },
    ontext(text) {
      if (inside === 'title') {
        // Those of drawings come in plenty.
        if (skippedDepth === 0 && found.title.length < valueMax) found.title += text;
        return;
      }
      if (inside === 'heading' && found.heading.length < valueMax) found.heading += text;
      if (skippedDepth === 0 && found.text.length < textMax) addText(found, text);
    },
    onclosetag(name) {
      depth--;
      if (name === 'title' || (inside === 'heading' && headings.has(name))) inside = null;
      if (skipped.has(name) && !voidTags.has(name)) skippedDepth = Math.max(0, skippedDepth - 1);
      else if (blocks.has(name)) endBlock(found);
    },
  });
  const isEnough = () => found.text.length >= textMax || depth >= depthMax;
  for (let at = 0; at < html.length && !isEnough(); at += sliceLength) {
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
    heading: '',
    text: '',
    oembedUrl: null,
    base: null,
  };
  // As browsers do (HTML standard, "Preprocessing the input stream").
  parse(html.replaceAll('\0', '\uFFFD'), found);
  const base = absolute(found.base, url) ?? url;
  const og = new Map([...found.twitter, ...found.og]);
  const fallback = (name: string, value: string | null) => {
    if (!og.has(name) && value) og.set(name, value);
  };
  const short = (text: string) => text.trim().slice(0, valueMax).toWellFormed();
  fallback('og:title', short(found.title) || short(found.heading));
  fallback('og:image', found.metaImage ?? found.image?.url ?? found.icon);
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
