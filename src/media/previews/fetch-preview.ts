import { MatrixError } from '../../kernel/errors.ts';
import { OutboundError, type OutboundFailure } from '../../outbound/errors.ts';
import type { OutboundHttp, OutboundStream } from '../../outbound/outbound-http.ts';
import type { TemporaryFiles } from '../storage/temporary-files.ts';
import { measureImage } from '../thumbnails/make-thumbnail.ts';
import type { Uploads } from '../uploads.ts';
import { decodeText } from './decode-text.ts';
import type { FindOembed } from './oembed.ts';
import { readOembed } from './oembed.ts';
import { readPage } from './read-page.ts';

export interface FetchPreviewNeeds {
  http: OutboundHttp;
  isUrlAllowed: (url: URL) => boolean;
  findOembed: FindOembed;
  /** As `Accept-Language` has them. */
  languages: readonly string[];
  bytesMax: number;
  serverName: string;
  uploads: Pick<Uploads, 'keep'>;
  temporary: TemporaryFiles;
}

/** A preview as clients get it: Open Graph and `matrix:image:size`. */
export type Preview = Record<string, string | number>;

const timeoutMs = 20_000;
const redirectsMax = 8;
/** What a page says of itself stands at its beginning; the rest is not read. */
const pageBytesMax = 1024 * 1024;

const errors: Record<OutboundFailure, [status: number, text: string]> = {
  bad_url: [400, 'The URL must begin with https:// or http://'],
  blocked: [403, 'The URL may not be fetched'],
  unreachable: [502, 'The page cannot be reached'],
  timeout: [504, 'The page took too long'],
  too_large: [502, 'The page is too large'],
  too_many_redirects: [502, 'The page redirects too often'],
};

/** What a client is told when nothing could be fetched. */
function told(error: unknown): unknown {
  if (!(error instanceof OutboundError)) return error;
  const [status, text] = errors[error.reason];
  return new MatrixError('M_UNKNOWN', text, { status, cause: error });
}

const typeOf = ({ headers }: OutboundStream) =>
  (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();

const isHtml = (type: string) => type === 'text/html' || type === 'application/xhtml+xml';

/** The beginning of a body. */
async function beginning({ body }: OutboundStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= pageBytesMax) break;
  }
  return Buffer.concat(chunks);
}

async function discard({ body }: OutboundStream): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}

async function* onePiece(piece: Buffer): AsyncGenerator<Buffer> {
  yield piece;
}

/** What a `data:` URL holds (RFC 2397); null: it is none, or not well-formed. */
function dataOf(url: string): Buffer | null {
  if (!url.startsWith('data:')) return null;
  const comma = url.indexOf(',');
  if (comma === -1) return null;
  const text = decodeURIComponentSafely(url.slice(comma + 1));
  return Buffer.from(text, /;base64$/i.test(url.slice(0, comma)) ? 'base64' : 'latin1');
}

/** Fetches pages and makes previews of them. Rejects with MatrixError. */
export function createFetchPreview(needs: FetchPreviewNeeds) {
  const { http, isUrlAllowed, bytesMax, uploads, temporary } = needs;
  const headers = { 'Accept-Language': needs.languages.join(', ') };

  function open(url: string, bytes: number): Promise<OutboundStream> {
    return http.open(url, { headers, timeoutMs, redirectsMax, bytesMax: bytes, isUrlAllowed });
  }

  /** Keeps an image; null when it is none. */
  async function keepImage(pieces: AsyncIterable<Buffer>): Promise<Preview | null> {
    const file = await temporary.write(pieces);
    try {
      const image = await measureImage(file.path);
      if (image === null) return null;
      const { contentType, width, height } = image;
      const mediaId = await uploads.keep(file, { contentType, fileName: null });
      return {
        'og:image': `mxc://${needs.serverName}/${mediaId}`,
        'og:image:type': contentType,
        'og:image:width': width,
        'og:image:height': height,
        'matrix:image:size': file.bytes,
      };
    } finally {
      await temporary.discard(file.path);
    }
  }

  async function fetchImage(url: string): Promise<Preview | null> {
    const inside = dataOf(url);
    if (inside) return inside.length > bytesMax ? null : keepImage(onePiece(inside));
    try {
      const answer = await open(url, bytesMax);
      if (answer.status === 200) return await keepImage(answer.body);
      await discard(answer);
      return null;
    } catch (error) {
      // A page without its picture is worth a preview still.
      if (error instanceof OutboundError) return null;
      throw error;
    }
  }

  /** The page’s picture as one of our media, and without it what the page says of it. */
  async function withImage(og: Record<string, string>): Promise<Preview> {
    const url = og['og:image'];
    const others = Object.entries(og).filter(([name]) => !/^og:image(:|$)/.test(name));
    const image = url === undefined ? null : await fetchImage(url);
    return { ...Object.fromEntries(others), ...image };
  }

  async function askOembed(url: string, about: string): Promise<Record<string, string> | null> {
    try {
      const request = { headers, timeoutMs, redirectsMax, isUrlAllowed };
      const answer = await http.fetch(url, request);
      return answer.status === 200 ? readOembed(JSON.parse(answer.body.toString()), about) : null;
    } catch (error) {
      if (error instanceof OutboundError || error instanceof SyntaxError) return null;
      throw error;
    }
  }

  async function ofPage(answer: OutboundStream): Promise<Preview> {
    const html = decodeText(await beginning(answer), answer.headers['content-type']);
    const page = readPage(html, answer.url);
    const more = page.oembedUrl === null ? null : await askOembed(page.oembedUrl, answer.url);
    return withImage({ ...more, ...page.og });
  }

  async function ofImage(answer: OutboundStream): Promise<Preview> {
    const image = await keepImage(answer.body);
    const name = decodeURIComponentSafely(new URL(answer.url).pathname.split('/').at(-1) ?? '');
    return { ...(name === '' ? {} : { 'og:title': name }), ...image };
  }

  async function fetchPreview(url: string): Promise<Preview> {
    const service = needs.findOembed(url);
    const said = service === null ? null : await askOembed(service, url);
    if (said !== null) return withImage(said);
    const answer = await open(url, bytesMax);
    const type = typeOf(answer);
    if (answer.status < 200 || answer.status > 299) {
      await discard(answer);
      throw new MatrixError('M_UNKNOWN', `The page answers ${answer.status}`, { status: 502 });
    }
    if (isHtml(type)) return ofPage(answer);
    if (type.startsWith('image/')) return ofImage(answer);
    await discard(answer);
    return {};
  }

  return async (url: string): Promise<Preview> => {
    try {
      return await fetchPreview(url);
    } catch (error) {
      throw told(error);
    }
  };
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
