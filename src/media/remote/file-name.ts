/** Characters of a name that are kept. */
const lengthMax = 1024;

/** Header values are read a character for a byte; many are UTF-8 all the same. */
function fromBytes(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  const decoded = bytes.toString('utf8');
  return decoded.includes('\ufffd') ? text : decoded;
}

function decodedName(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** The name of a file in a `Content-Disposition` (RFC 6266); null: there is none. */
export function fileNameIn(disposition: string | undefined): string | null {
  const text = disposition ?? '';
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(text)?.[1];
  const quoted = /;\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(text)?.[1];
  const token = /;\s*filename\s*=\s*([^";]+)/i.exec(text)?.[1];
  const name =
    (extended === undefined ? null : decodedName(extended)) ??
    (quoted === undefined ? null : fromBytes(quoted.replace(/\\(.)/g, '$1'))) ??
    (token === undefined ? null : fromBytes(token.trim()));
  const whole = name?.replaceAll('\0', '').slice(0, lengthMax).toWellFormed();
  return whole || null;
}
