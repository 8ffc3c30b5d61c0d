import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import type { Server } from 'node:net';
import type { Config } from '../config/config.ts';
import { tcpAddress } from '../kernel/tcp-address.ts';
import { listenError, removeOldSocket, type Place } from '../http/open-listeners.ts';

const isEvery = (address: string) => address === '::' || address === '0.0.0.0';

async function open(server: Server, at: Place): Promise<void> {
  server.listen(at);
  await once(server, 'listening').catch((error: Error) => {
    throw listenError(error, at);
  });
}

/**
 * Opens the listener for calls of other processes: the one with the resource `replication`, else the
 * place that `instance_map` gives this process, else a free port that only this machine reaches.
 * Gives the address that others use. Throws an Error that says where it cannot listen.
 */
export async function listenForCalls(
  server: Server,
  config: Config,
  name: string,
): Promise<string> {
  const known = config.workers.instances.get(name);
  const at = config.callsAt;
  const path = at && 'path' in at ? at.path : known && 'path' in known ? known.path : null;
  if (path !== null) {
    await removeOldSocket(path);
    await open(server, { path });
    await chmod(path, at && 'mode' in at ? at.mode : 0o600);
    return path;
  }
  const byTcp = known && 'port' in known ? known : null;
  const own = at && 'port' in at ? at : null;
  const host = own?.addresses[0] ?? '127.0.0.1';
  await open(server, { host, port: own?.port ?? byTcp?.port ?? 0 });
  const { port } = server.address() as { port: number };
  const told = byTcp?.host ?? (isEvery(host) ? '127.0.0.1' : host);
  return tcpAddress(told, port);
}
