import { readFile } from 'node:fs/promises';
import type { Config } from '../config/config.ts';
import type { ListenerOptions } from '../http/server.ts';

const readPem = (option: string, path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: Error) => {
    throw new Error(`${option}: ${error.message}`, { cause: error });
  });

/** The configured listeners with the contents of their certificates. */
export async function listenerOptions(config: Config): Promise<ListenerOptions[]> {
  const { certificatePath, keyPath } = config.tls;
  const isNeeded = config.listeners.some((listener) => listener.tls);
  if (isNeeded && (certificatePath === null || keyPath === null)) {
    throw new Error('a listener with tls needs tls_certificate_path and tls_private_key_path');
  }
  const tls = isNeeded
    ? {
        certificate: await readPem('tls_certificate_path', certificatePath!),
        key: await readPem('tls_private_key_path', keyPath!),
      }
    : null;
  return config.listeners.map((listener) => ({ ...listener, tls: listener.tls ? tls : null }));
}
