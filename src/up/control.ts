import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** What the supervisor can be asked to do, one JSON object a line. */
export type ControlRequest =
  | { command: 'scale'; counts: Record<string, number> }
  | { command: 'roll' }
  | { command: 'table' };

/** Its answer: text for people, or what went wrong. */
export type ControlAnswer = { text: string } | { error: string };

/** Longest line that is read. */
const lineMax = 10_000;

/** Listens for requests of this machine's admin on a unix socket. */
export async function listenForControl(
  path: string,
  handle: (request: ControlRequest) => Promise<string>,
): Promise<{ close(): void }> {
  const answer = async (line: string): Promise<ControlAnswer> => {
    try {
      return { text: await handle(JSON.parse(line) as ControlRequest) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    createInterface({ input: socket }).on('line', (line) => {
      if (line.length > lineMax) {
        socket.destroy();
        return;
      }
      void answer(line).then((result) => socket.end(`${JSON.stringify(result)}\n`));
    });
  });
  await rm(path, { force: true });
  server.listen(path);
  await once(server, 'listening');
  await chmod(path, 0o600);
  return { close: () => void server.close() };
}

/** Nobody listens at the path. */
export class NoSupervisor extends Error {}

/** Asks the supervisor that listens at a path. Throws NoSupervisor, or an Error for people. */
export async function askSupervisor(path: string, request: ControlRequest): Promise<string> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch {
    throw new NoSupervisor(
      `no "lattice up" runs with this configuration (nobody answers at ${path})`,
    );
  }
  socket.write(`${JSON.stringify(request)}\n`);
  const lines = createInterface({ input: socket });
  const [line] = (await once(lines, 'line')) as [string];
  socket.end();
  const answer = JSON.parse(line) as ControlAnswer;
  if ('error' in answer) throw new Error(answer.error);
  return answer.text;
}
