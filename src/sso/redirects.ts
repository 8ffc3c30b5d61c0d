import { MatrixError } from '../kernel/errors.ts';

/** Longer addresses of clients are refused. */
const urlLengthMax = 4096;

/** Addresses that would not lead to a client but do something in the browser. */
const forbiddenSchemes = new Set([
  'about:',
  'blob:',
  'data:',
  'file:',
  'filesystem:',
  'javascript:',
  'vbscript:',
  'view-source:',
]);

/** The address of a client, of any scheme, as browsers read it. Throws M_INVALID_PARAM. */
export function clientUrl(text: string): string {
  const url = text.length <= urlLengthMax && URL.canParse(text) ? new URL(text) : null;
  if (url === null || forbiddenSchemes.has(url.protocol)) {
    throw new MatrixError('M_INVALID_PARAM', 'redirectUrl is not the address of a client');
  }
  return url.href;
}

function nameOf(part: string): string {
  const name = part.split('=', 1)[0]!.replaceAll('+', ' ');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/**
 * The address with the log-in token; tokens that were in it go (CS 1.19, "Handling the callback from
 * the Authentication server"). Other parameters stay as they are written.
 */
export function withLoginToken(clientAddress: string, token: string): string {
  const [whole, fragment] = splitAt(clientAddress, '#');
  const [path, query] = splitAt(whole, '?');
  const parts = query === null ? [] : query.split('&');
  const kept = parts.filter((part) => part !== '' && nameOf(part) !== 'loginToken');
  kept.push(`loginToken=${encodeURIComponent(token)}`);
  return `${path}?${kept.join('&')}${fragment === null ? '' : `#${fragment}`}`;
}

function splitAt(text: string, mark: string): [string, string | null] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

/** The address as people are shown it: of web sites the host, else without query and fragment. */
export function displayUrl(clientAddress: string): string {
  const url = new URL(clientAddress);
  if (url.protocol === 'https:') return url.host;
  const [whole] = splitAt(clientAddress, '#');
  return splitAt(whole, '?')[0];
}
