import { stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** How long to wait for a process that is just going away. */
const attempts = 20;
const pauseMs = 250;
const answerMsMax = 1_000;
const answerLengthMax = 20;

/** Who has the lock, by its process id; null when it does not say so. */
function holderOf(name: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(name);
    let text = '';
    socket.setEncoding('utf8').setTimeout(answerMsMax, () => socket.destroy());
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > answerLengthMax) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(/^\d+$/.test(text) ? text : null));
  });
}

/** Null: it is taken. */
function listen(name: string): Promise<Server | null> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(String(process.pid));
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(name, () => resolve(server.unref()));
  });
}

/**
 * Takes a folder for this process, so that a second one leaves alone what the first keeps there. It
 * is a socket without a file, which ends with the process however that ends. A process that is going
 * away is waited for, 5 s by default. Throws an Error that names who has it.
 */
export async function lockFolder(
  folder: string,
  triesMax = attempts,
): Promise<{ release(): Promise<void> }> {
  const { dev, ino } = await stat(folder, { bigint: true });
  const name = `\0lattice/${dev}/${ino}`;
  for (let tries = 1; ; tries++) {
    // oxlint-disable-next-line no-await-in-loop
    const server = await listen(name);
    if (server) {
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    }
    if (tries === triesMax) break;
    // oxlint-disable-next-line no-await-in-loop
    await pause(pauseMs);
  }
  const holder = await holderOf(name);
  const who = holder === null ? 'another process' : `process ${holder}`;
  throw new Error(`Lattice runs in ${folder} already (${who}): stop it first`);
}
