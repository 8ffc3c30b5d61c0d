import { isWhole, type HttpResponse } from './exchange.ts';

/** How long a client may go on sending what nobody wants; long enough for a slow one to stop. */
const lingerMs = 5_000;
/** How much of it is thrown away before the connection is closed regardless. */
const lingerBytesMax = 64 * 1024 * 1024;

/**
 * Answers a request whose body is not wanted, and closes the connection once the client has stopped
 * sending. Closing at once would reset the connection, and the client would never see the answer.
 */
export function closeAfterBody(res: HttpResponse, text: string): void {
  const { req } = res;
  if (isWhole(req)) {
    res.end(text);
    return;
  }
  let bytes = 0;
  const end = () => {
    clearTimeout(timer);
    req.off('data', count);
    res.end();
  };
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > lingerBytesMax) end();
  };
  const timer = setTimeout(end, lingerMs);
  req.on('data', count);
  req.once('end', end);
  req.once('close', end);
  req.resume();
  res.write(text);
}
