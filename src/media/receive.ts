import { isWhole, type HttpRequest } from '../http/exchange.ts';
import { ClientGone } from '../http/read-body.ts';
import { MatrixError } from '../kernel/errors.ts';

function tooLarge(bytesMax: number): MatrixError {
  return new MatrixError('M_TOO_LARGE', `Uploads may have at most ${bytesMax} bytes`);
}

/** What a request says about its length; null when it says nothing. */
export function announcedBytes(req: HttpRequest): number | null {
  const announced = Number(req.headers['content-length']);
  return Number.isSafeInteger(announced) && announced >= 0 ? announced : null;
}

/** A client that sends nothing for so long is given up. */
const silenceMsMax = 60_000;

/** The body of a request as it comes. Throws M_TOO_LARGE, or ClientGone. */
export async function* receive(req: HttpRequest, bytesMax: number): AsyncGenerator<Buffer> {
  if ((announcedBytes(req) ?? 0) > bytesMax) throw tooLarge(bytesMax);
  if (isWhole(req)) {
    if (req.wholeBody.length > bytesMax) throw tooLarge(bytesMax);
    yield req.wholeBody;
    return;
  }
  let bytes = 0;
  req.setTimeout(silenceMsMax, () => req.destroy());
  // Destroyed, it could not be answered.
  const pieces = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      yield piece;
    }
  } catch (error) {
    throw req.destroyed && !(error instanceof MatrixError) ? new ClientGone() : error;
  } finally {
    req.setTimeout(0);
  }
  if (!req.complete) throw new ClientGone();
}
