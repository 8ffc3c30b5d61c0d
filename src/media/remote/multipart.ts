/** A part of a `multipart/mixed` body. */
export interface Part {
  /** By names in lower case; values as they came, a character for a byte. */
  headers: Readonly<Record<string, string>>;
  /** To be read to its end, or left. Rejects with MultipartError. */
  content: AsyncIterable<Buffer>;
}

/** A body is not the multipart that it should be. */
export class MultipartError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MultipartError';
  }
}

/** Before the first part, and all of a part that is skipped. */
const skippedBytesMax = 16 * 1024;
const headBytesMax = 16 * 1024;

/** The boundary that a `Content-Type` names (RFC 2046, 5.1); null: it is not `multipart/mixed`. */
export function boundaryIn(contentType: string | undefined): string | null {
  const match = /^\s*multipart\/mixed\s*;(.*)$/is.exec(contentType ?? '');
  const found = /(?:^|;)\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70})(?=[\s;]|$))/i.exec(
    match?.[1] ?? '',
  );
  return found?.[1] ?? found?.[2] ?? null;
}

function headersIn(head: string): Record<string, string> {
  const headers: Record<string, string> = {};
  // A line that begins with a blank continues the one before.
  for (const line of head.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0)
      headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return headers;
}

/**
 * Reads the part with a number of a `multipart/mixed` body as it comes; those before it are small and
 * are skipped. Memory stays flat. Rejects with MultipartError and with what `body` rejects with.
 */
export async function readPart(
  body: AsyncIterable<Buffer>,
  boundary: string,
  index: number,
): Promise<Part> {
  const pieces = body[Symbol.asyncIterator]();
  // The first boundary need not be at the beginning of a line: it may be that of the body.
  let left: Buffer = Buffer.from('\r\n');

  async function more(): Promise<void> {
    const next = await pieces.next();
    if (next.done) throw new MultipartError('the body ends in the middle of a part');
    left = left.length === 0 ? next.value : Buffer.concat([left, next.value]);
  }

  /** Goes behind a text; gives what is before it. */
  async function through(text: string, bytesMax: number): Promise<Buffer> {
    for (;;) {
      const at = left.indexOf(text);
      if (at !== -1) {
        const before = left.subarray(0, at);
        left = left.subarray(at + text.length);
        return before;
      }
      if (left.length > bytesMax) throw new MultipartError('a part is longer than it should be');
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      await more();
    }
  }

  const delimiter = `\r\n--${boundary}`;

  async function* contentOf(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const at = left.indexOf(delimiter);
        if (at > 0) yield left.subarray(0, at);
        if (at !== -1) return;
        // What may be the beginning of the delimiter waits for what follows.
        const whole = left.length - (delimiter.length - 1);
        if (whole > 0) {
          const piece = left.subarray(0, whole);
          left = Buffer.from(left.subarray(whole));
          yield piece;
        }
        // oxlint-disable-next-line no-await-in-loop
        await more();
      }
    } finally {
      await pieces.return?.();
    }
  }

  try {
    for (let i = 0; i <= index; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one part after the other
      await through(delimiter, skippedBytesMax);
      // oxlint-disable-next-line no-await-in-loop
      while (left.length < 2) await more();
      if (left[0] === 0x2d && left[1] === 0x2d) throw new MultipartError('there are too few parts');
    }
    // A part without headers has its blank line at once.
    const head = await through('\r\n\r\n', headBytesMax);
    return { headers: headersIn(head.toString('latin1')), content: contentOf() };
  } catch (error) {
    await pieces.return?.();
    throw error;
  }
}
