import type { Socket } from 'node:net';

/** Longest frame in bytes: the largest batch of events that one call may carry. */
const frameBytesMax = 16 * 1024 * 1024;
const lengthBytes = 4;

/** JSON values over a socket, each behind its length in four bytes. */
export interface Frames {
  write(value: unknown): void;
  /**
   * Reads no more: the connection is for something else now, which gets what has come already. To be
   * called by `onValue`.
   */
  detach(): void;
}

/**
 * Values written in one turn of the event loop leave together. `onValue` must not throw. A frame
 * that is too long or no JSON ends the connection.
 */
export function framesOver(socket: Socket, onValue: (value: unknown) => void): Frames {
  let pending: Buffer = Buffer.alloc(0);
  let isCorked = false;
  let isDetached = false;

  function take(chunk: Buffer): void {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let at = 0;
    while (!isDetached && pending.length - at >= lengthBytes) {
      const length = pending.readUInt32BE(at);
      if (length > frameBytesMax) throw new Error('a frame is too long');
      if (pending.length - at - lengthBytes < length) break;
      const text = pending.toString('utf8', at + lengthBytes, at + lengthBytes + length);
      at += lengthBytes + length;
      onValue(JSON.parse(text));
    }
    pending = at === pending.length ? Buffer.alloc(0) : pending.subarray(at);
    if (isDetached && pending.length > 0) socket.unshift(pending);
  }

  const read = (chunk: Buffer) => {
    try {
      take(chunk);
    } catch (error) {
      socket.destroy(error as Error);
    }
  };
  socket.on('data', read);

  return {
    write(value) {
      if (socket.destroyed) return;
      if (!isCorked) {
        isCorked = true;
        socket.cork();
        setImmediate(() => {
          isCorked = false;
          socket.uncork();
        });
      }
      const text = JSON.stringify(value);
      const length = Buffer.byteLength(text);
      const frame = Buffer.allocUnsafe(lengthBytes + length);
      frame.writeUInt32BE(length, 0);
      frame.write(text, lengthBytes);
      socket.write(frame);
    },
    detach() {
      isDetached = true;
      socket.off('data', read);
    },
  };
}
