import { createHmac } from 'node:crypto';
import { TestClient, uniqueName } from './client.ts';
import { adminSecret } from './server.ts';

/** Registers an admin by the shared secret of all test servers. */
export async function registerAdmin(url: string): Promise<TestClient> {
  const admin = new TestClient(url);
  const path = '/_synapse/admin/v1/register';
  const { nonce } = await admin.ok('GET', path);
  const [username, password] = [uniqueName('admin'), 'password'];
  const mac = createHmac('sha1', adminSecret)
    .update([nonce, username, password, 'admin'].join('\0'))
    .digest('hex');
  const made = await admin.ok('POST', path, { nonce, username, password, admin: true, mac });
  admin.token = made['access_token'] as string;
  admin.userId = made['user_id'] as string;
  return admin;
}
