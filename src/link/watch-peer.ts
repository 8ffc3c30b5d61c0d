import type { Socket } from 'node:net';
import { kinds, type FrameWriter } from './frames.ts';

/** How often each end of a link says that it is there. */
const beatMs = 10_000;
/** Beats without a word from the other end, after which it is taken for gone. */
const silentBeatsMax = 3;

/**
 * Ends a link whose other end has fallen silent: of a machine that vanished nobody is told, and the
 * kernel goes on trying for a quarter of an hour. Beats are counted and not time, so that a process
 * that could not run for a while first reads what has come meanwhile.
 */
export function watchPeer(socket: Socket, frames: FrameWriter): void {
  let silentBeats = 0;
  socket.on('data', () => (silentBeats = 0));
  const beating = setInterval(() => {
    if (++silentBeats > silentBeatsMax) socket.destroy();
    else frames.write(kinds.beat, 0);
  }, beatMs).unref();
  socket.once('close', () => clearInterval(beating));
}
