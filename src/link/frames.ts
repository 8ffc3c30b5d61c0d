import type { Socket } from 'node:net';

/** What a frame says. Those up to `credit` go to the worker, those up to `goAway` come from it. */
export const kinds = {
  /** Head: `[method, url, headers]`, body: all of it. */
  request: 0,
  /** Nobody waits for the answer any more. */
  cancel: 1,
  /** Body: how many bytes of an answer have been passed on since the last one, in four bytes. */
  credit: 2,
  /** A whole answer. Head: `[status, name, value, …]`, body: all of it. */
  answer: 3,
  /** The head of an answer of which `data` follows. */
  head: 4,
  data: 5,
  end: 6,
  /** An answer broke off, or there will be none. */
  abort: 7,
  /** The worker is stopping: it answers what it has and takes nothing new. Exchange 0. */
  goAway: 8,
  /** Whoever sends it is there. Exchange 0. */
  beat: 9,
} as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

export interface Frame {
  kind: Kind;
  /** Which request it is about. */
  exchange: number;
  /** JSON; empty where a kind has none. */
  head: string;
  body: Buffer;
}

/** Length of the rest, kind, exchange, length of the head: 4, 1, 4 and 4 bytes. */
const prefixBytes = 13;
const lengthBytes = 4;
/** No frame has a longer body: longer ones go as several. */
export const bodyBytesMax = 64 * 1024;
/** Those of requests are at most what `node:http` takes in (16 KiB), and JSON's escapes. */
export const headBytesMax = 256 * 1024;
const frameBytesMax = prefixBytes + headBytesMax + bodyBytesMax;

const none = Buffer.alloc(0);

export type FrameBody = Buffer | { text: string; encoding: 'latin1' | 'utf8' };

function encode(kind: Kind, exchange: number, head: string, body: FrameBody): Buffer {
  const headLength = Buffer.byteLength(head);
  const isText = !Buffer.isBuffer(body);
  const bodyLength = isText ? Buffer.byteLength(body.text, body.encoding) : body.length;
  const frame = Buffer.allocUnsafe(prefixBytes + headLength + bodyLength);
  frame.writeUInt32BE(prefixBytes - lengthBytes + headLength + bodyLength, 0);
  frame[4] = kind;
  frame.writeUInt32BE(exchange, 5);
  frame.writeUInt32BE(headLength, 9);
  frame.write(head, prefixBytes, headLength === head.length ? 'latin1' : 'utf8');
  const at = prefixBytes + headLength;
  if (isText) frame.write(body.text, at, body.encoding);
  else body.copy(frame, at);
  return frame;
}

/** Writes frames to a socket. */
export interface FrameWriter {
  write(kind: Kind, exchange: number, head?: string, body?: FrameBody): void;
  /** Sends what is gathered, at once. */
  flush(): void;
  /** Bytes that the other side has yet to take. */
  readonly waitingBytes: number;
}

/** What is written in one turn of the event loop leaves together, so that it wakes the other once. */
export function frameWriter(socket: Socket): FrameWriter {
  let gathered: Buffer[] = [];
  let bytes = 0;

  function flush(): void {
    const frames = gathered;
    if (frames.length === 0) return;
    gathered = [];
    socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames, bytes));
    bytes = 0;
  }

  return {
    write(kind, exchange, head = '', body = none) {
      if (socket.destroyed) return;
      const frame = encode(kind, exchange, head, body);
      if (gathered.push(frame) === 1) setImmediate(flush);
      bytes += frame.length;
    },
    flush,
    get waitingBytes() {
      return bytes + socket.writableLength;
    },
  };
}

/** What arrived is no frame. */
export class MalformedFrame extends Error {}

/** Takes chunks as they come and gives whole frames. Throws MalformedFrame. */
export function frameReader(onFrame: (frame: Frame) => void): (chunk: Buffer) => void {
  let pending: Buffer = none;
  /** Chunks after `pending`, not yet joined: a long frame comes in many. */
  let more: Buffer[] = [];
  let moreBytes = 0;

  return function take(chunk) {
    let data = chunk;
    if (pending.length > 0) {
      more.push(chunk);
      moreBytes += chunk.length;
      const known = pending.length >= lengthBytes;
      const wanted = known ? lengthBytes + pending.readUInt32BE(0) : lengthBytes;
      if (pending.length + moreBytes < wanted) return;
      data = Buffer.concat([pending, ...more]);
      more = [];
      moreBytes = 0;
    }
    let at = 0;
    while (data.length - at >= lengthBytes) {
      const length = data.readUInt32BE(at);
      if (length > frameBytesMax || length < prefixBytes - lengthBytes) {
        throw new MalformedFrame('a frame has a wrong length');
      }
      const end = at + lengthBytes + length;
      if (data.length < end) break;
      const headEnd = at + prefixBytes + data.readUInt32BE(at + 9);
      if (headEnd > end) throw new MalformedFrame('the head is longer than its frame');
      const kind = data[at + 4] as Kind;
      const exchange = data.readUInt32BE(at + 5);
      const head = data.toString('utf8', at + prefixBytes, headEnd);
      onFrame({ kind, exchange, head, body: data.subarray(headEnd, end) });
      at = end;
    }
    pending = at === data.length ? none : data.subarray(at);
  };
}

/** Reads frames from a socket; one that is malformed, or that `onFrame` throws at, ends the connection. */
export function readFrames(socket: Socket, onFrame: (frame: Frame) => void): void {
  const take = frameReader(onFrame);
  socket.on('data', (chunk: Buffer) => {
    try {
      take(chunk);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
}
