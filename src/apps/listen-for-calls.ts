import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { tcpAddress } from '../cluster/rpc/address.ts';
import type { Config } from '../config/config.ts';

const isEvery = (address: string) => address === '::' || address === '0.0.0.0';

/**
 * Opens the listener for calls of other processes: the one with the resource `replication`, else the
 * place that `instance_map` gives this process, else a free port that only this machine reaches.
 * Gives the address that others use.
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
    await rm(path, { force: true });
    server.listen(path);
    await once(server, 'listening');
    await chmod(path, at && 'mode' in at ? at.mode : 0o600);
    return path;
  }
  const byTcp = known && 'port' in known ? known : null;
  const own = at && 'port' in at ? at : null;
  const host = own?.addresses[0] ?? '127.0.0.1';
  server.listen({ host, port: own?.port ?? byTcp?.port ?? 0 });
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const told = byTcp?.host ?? (isEvery(host) ? '127.0.0.1' : host);
  return tcpAddress(told, port);
}
