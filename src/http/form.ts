import type { HttpRequest } from './exchange.ts';
import { readBody } from './read-body.ts';

/** Forms of pages hold a few short texts. */
const formBytesMax = 64 * 1024;

/**
 * What a form of a page sends: the query, and the body as `application/x-www-form-urlencoded`,
 * which goes first. For endpoints with `bodyMode: 'none'`.
 */
export async function readForm(req: HttpRequest): Promise<URLSearchParams> {
  const form = new URLSearchParams((req.url ?? '').split('?')[1] ?? '');
  const body = new URLSearchParams((await readBody(req, formBytesMax)).toString('utf8'));
  for (const name of new Set(body.keys())) form.delete(name);
  for (const [name, value] of body) form.append(name, value);
  return form;
}
