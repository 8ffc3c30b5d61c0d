import assert from 'node:assert/strict';
import { request } from 'node:http';
import { isOnWorkers, type TestServer } from './server.ts';
import { workersOf } from './workers.ts';

/** The address under which browsers know the server. */
export const publicUrl = 'https://matrix.test.example';

/** Where a request goes: a URL, or the socket of a process. */
type Place = { url: string } | { socketPath: string };

/** What a browser has in the end. */
export interface Page {
  status: number;
  /** Of the page, or of where it was sent and cannot go. */
  url: URL;
  text: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface Cookie {
  value: string;
  path: string;
  sameSite: string;
}

const redirectsMax = 10;

/**
 * A browser of a user who signs in: it keeps cookies and follows redirects until a page, or an address
 * that is neither the server's nor a provider's. On a worker set each request goes to another process.
 */
export class SsoBrowser {
  readonly #places: readonly Place[];
  /** Of providers. */
  readonly #origins: readonly string[];
  readonly #cookies = new Map<string, Map<string, Cookie>>();
  #turn = 0;

  constructor(places: readonly Place[], origins: readonly string[]) {
    this.#places = places;
    this.#origins = origins;
  }

  /** `origins`: those that it goes to beside the server's. */
  static async of(server: TestServer, origins: readonly string[]): Promise<SsoBrowser> {
    if (!isOnWorkers) return new SsoBrowser([{ url: server.url }], origins);
    const workers = (await workersOf(server.dataDir)).filter(({ name }) =>
      /^(?:main|generic_worker\d+)$/.test(name),
    );
    assert.ok(workers.length >= 3, 'there are processes to take turns');
    return new SsoBrowser(workers, origins);
  }

  /** Another with the same cookies for nobody: a stranger's. */
  stranger(): SsoBrowser {
    return new SsoBrowser(this.#places, this.#origins);
  }

  /** The header of an answer that sets a cookie. */
  cookie(name: string): Cookie | undefined {
    return this.#cookies.get(new URL(publicUrl).host)?.get(name);
  }

  #placeOf(url: URL): Place | null {
    if (url.origin === publicUrl) return this.#places[this.#turn++ % this.#places.length]!;
    return this.#origins.includes(url.origin) ? { url: url.origin } : null;
  }

  #cookieHeader(url: URL, isCrossSitePost: boolean): string {
    return [...(this.#cookies.get(url.host) ?? [])]
      .filter(([, { path }]) => url.pathname.startsWith(path))
      .filter(([, { sameSite }]) => !isCrossSitePost || sameSite === 'None')
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }

  #keep(url: URL, lines: readonly string[]): void {
    const kept = this.#cookies.get(url.host) ?? new Map<string, Cookie>();
    this.#cookies.set(url.host, kept);
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split('=');
      const of = (key: string) =>
        attributes.find((one) => one.startsWith(`${key}=`))?.slice(key.length + 1);
      if (of('Max-Age') === '0') kept.delete(name);
      else kept.set(name, { value, path: of('Path') ?? '/', sameSite: of('SameSite') ?? 'Lax' });
    }
  }

  #ask(place: Place, url: URL, form: URLSearchParams | null, isCrossSite: boolean): Promise<Page> {
    const where =
      'url' in place
        ? { host: new URL(place.url).hostname, port: new URL(place.url).port }
        : { socketPath: place.socketPath };
    return new Promise((resolve, reject) => {
      const req = request({
        ...where,
        method: form ? 'POST' : 'GET',
        path: url.pathname + url.search,
        headers: {
          Host: url.host,
          Cookie: this.#cookieHeader(url, form !== null && isCrossSite),
          ...(form ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {}),
        },
      });
      req.on('error', reject);
      req.on('response', (res) => {
        this.#keep(url, res.headers['set-cookie'] ?? []);
        let text = '';
        res.setEncoding('utf8');
        res.on('data', (chunk) => (text += String(chunk)));
        res.on('end', () =>
          resolve({ status: res.statusCode ?? 0, url, text, headers: res.headers }),
        );
      });
      req.end(form?.toString());
    });
  }

  /** Goes to an address, or sends a form there. */
  async visit(
    address: string,
    form: Record<string, string> | URLSearchParams | null = null,
    { isCrossSite = false, follows = true } = {},
  ): Promise<Page> {
    let url = new URL(address, publicUrl);
    let sent = form && new URLSearchParams(form);
    for (let count = 0; count < redirectsMax; count++) {
      const place = this.#placeOf(url);
      if (place === null) return { status: 0, url, text: '', headers: {} };
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const page = await this.#ask(place, url, sent, isCrossSite);
      const { location } = page.headers;
      if (page.status !== 302 || typeof location !== 'string' || !follows) return page;
      url = new URL(location, url);
      sent = null;
    }
    throw new Error(`too many redirects, the last one to ${url.href}`);
  }
}

/** The address of a link on a page. */
export function linkOn({ text }: Page): string {
  const [, href] = /<a href="([^"]+)"/.exec(text) ?? [];
  assert.ok(href !== undefined, text);
  return href.replaceAll('&amp;', '&');
}
