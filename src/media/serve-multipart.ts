import { randomLetters } from '../kernel/random.ts';
import { contentDisposition } from './content-headers.ts';
import {
  copyContent,
  missing,
  type RawExchange,
  type ServedMedia,
  type ServeNeeds,
} from './serve-content.ts';

/** So many that no content has the boundary in it. */
const boundaryLetters = 40;

/**
 * Answers another server: what is known of the media, which is nothing yet, and the content
 * (server-server spec, "Content Repository").
 */
export async function serveMultipart(
  { contents, small }: ServeNeeds,
  { req, res }: RawExchange,
  media: Omit<ServedMedia, 'isPublic'>,
  requestId: string,
): Promise<void> {
  const { sha256, bytes, contentType, fileName } = media;
  const boundary = randomLetters(boundaryLetters);
  const head =
    `--${boundary}\r\nContent-Type: application/json\r\n\r\n{}\r\n` +
    `--${boundary}\r\nContent-Type: ${contentType}\r\n` +
    `Content-Disposition: ${contentDisposition(contentType, fileName)}\r\n\r\n`;
  const tail = `\r\n--${boundary}--\r\n`;
  const begin = () =>
    res.writeHead(200, {
      'Content-Type': `multipart/mixed; boundary=${boundary}`,
      'Content-Length': head.length + bytes + tail.length,
      'X-Request-Id': requestId,
    });
  if (small.isSmall(bytes)) {
    const whole = await small.read(sha256, bytes);
    if (whole === null) throw missing();
    begin().end(Buffer.concat([Buffer.from(head), whole, Buffer.from(tail)]));
    return;
  }
  const content = await contents.open(sha256, { start: 0, end: bytes - 1 });
  if (content === null) throw missing();
  try {
    begin();
    if (req.method === 'HEAD') {
      res.end();
      return;
    }
    res.write(head);
    if (await copyContent(content, res, bytes)) res.end(tail);
  } finally {
    content.close();
  }
}
