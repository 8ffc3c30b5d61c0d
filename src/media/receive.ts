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

/** A reader is told when so much waits for it, or all of the rest: as much as is written at once. */
const portionBytes = 512 * 1024;
/** The client is held up while so much waits. */
const waitingBytesMax = 1024 * 1024;

/**
 * The body of a request as it comes. Throws M_TOO_LARGE, or ClientGone. It flows: to ask the request for
 * each piece (its own iterator) costs as much as receiving it.
 */
export async function* receive(req: HttpRequest, bytesMax: number): AsyncGenerator<Buffer> {
  if ((announcedBytes(req) ?? 0) > bytesMax) throw tooLarge(bytesMax);
  if (isWhole(req)) {
    if (req.wholeBody.length > bytesMax) throw tooLarge(bytesMax);
    yield req.wholeBody;
    return;
  }
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let bytes = 0;
  let hasEnded = false;
  let isOver = req.destroyed;
  let wake: (() => void) | null = null;
  const tell = () => {
    wake?.();
    wake = null;
  };
  const take = (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > bytesMax) {
      over();
      return;
    }
    waiting.push(piece);
    waitingBytes += piece.length;
    if (waitingBytes >= portionBytes) tell();
    if (waitingBytes >= waitingBytesMax) req.pause();
  };
  const over = () => {
    isOver = true;
    req.off('data', take).pause();
    tell();
  };
  const end = () => {
    hasEnded = true;
    over();
  };
  req.setTimeout(silenceMsMax, () => req.destroy());
  req.on('data', take).on('end', end).on('error', over).on('close', over);
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one portion after the other
      if (waitingBytes < portionBytes && !isOver) await new Promise<void>((r) => (wake = r));
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      const portion = waiting;
      waiting = [];
      waitingBytes = 0;
      if (!isOver) req.resume();
      yield* portion;
      if (isOver && waiting.length === 0) break;
    }
  } finally {
    req.off('data', take).off('end', end).off('error', over).off('close', over);
    req.pause();
    req.setTimeout(0);
  }
  if (!hasEnded || !req.complete) throw new ClientGone();
}
