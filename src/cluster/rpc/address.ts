import type { NetConnectOpts } from 'node:net';

/** `host:port`, or the path of a unix socket, as options of a connection. */
export function connectionOptions(address: string): NetConnectOpts {
  if (address.startsWith('/')) return { path: address };
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(address.slice(colon + 1)) };
}
