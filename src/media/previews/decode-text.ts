/** Where pages say their encoding: within so many bytes (HTML standard, "prescan"). */
const prescanBytes = 1_024;

const boms: readonly [number[], string][] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xfe, 0xff], 'utf-16be'],
  [[0xff, 0xfe], 'utf-16le'],
];

function decoderFor(label: string | undefined): TextDecoder | null {
  if (label === undefined) return null;
  try {
    return new TextDecoder(label.trim());
  } catch {
    return null;
  }
}

/** Who can read the name is wrong about it: the text is no UTF-16 (HTML standard, "prescan"). */
const inText = (label: string | undefined) =>
  label !== undefined && /^utf-?16/i.test(label) ? 'utf-8' : label;

/** The charset of a `Content-Type`. */
const charsetOf = (contentType: string | undefined) =>
  /charset\s*=\s*["']?([^"';\s]+)/i.exec(contentType ?? '')?.[1];

/**
 * The text of a page. Its encoding: of a byte order mark, of the header, of the page itself, else
 * UTF-8 when it is that and Windows-1252 when not.
 */
export function decodeText(body: Buffer, contentType: string | undefined): string {
  const bom = boms.find(([bytes]) => bytes.every((byte, i) => body[i] === byte));
  const head = body.toString('latin1', 0, prescanBytes);
  const inMeta = /<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
  const inXml = /^\s*<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)/i.exec(head)?.[1];
  const decoder =
    decoderFor(bom?.[1]) ??
    decoderFor(charsetOf(contentType)) ??
    decoderFor(inText(inMeta)) ??
    decoderFor(inText(inXml));
  if (decoder) return decoder.decode(body);
  const text = new TextDecoder('utf-8').decode(body);
  // A character that was cut off at the end is no sign of another encoding.
  const isOther = text.slice(0, -1).includes('\uFFFD');
  return isOther ? new TextDecoder('windows-1252').decode(body) : text;
}
