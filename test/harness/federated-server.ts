import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestCertificate } from '../../src/http/test-certificate.ts';
import { startTestServer, type TestServer } from './server.ts';

/** A server that others of its kind reach, by its name, over TLS. */
export interface FederatedServer extends TestServer {
  /** `localhost:<port>` */
  name: string;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map((server) => {
      server.close();
      return once(server, 'close');
    }),
  );
  return ports;
}

/** `extra`: YAML that is added to its configuration. */
export async function startFederatedServer(extra = ''): Promise<FederatedServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lattice-certificate-'));
  const { certificate, key } = createTestCertificate();
  const [certificatePath, keyPath] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  await Promise.all([writeFile(certificatePath, certificate), writeFile(keyPath, key)]);
  const [plain, tls] = (await freePorts(2)) as [number, number];
  const name = `localhost:${tls}`;
  const server = await startTestServer(`
server_name: '${name}'
tls_certificate_path: ${certificatePath}
tls_private_key_path: ${keyPath}
listeners:
  - {port: ${plain}, bind_addresses: ['127.0.0.1'], type: http, resources: [{names: [client, federation, media]}]}
  - {port: ${tls}, bind_addresses: ['127.0.0.1'], type: http, tls: true, resources: [{names: [client, federation, media]}]}
${extra}`);
  return {
    ...server,
    name,
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
