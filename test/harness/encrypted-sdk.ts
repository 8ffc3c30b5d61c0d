import { createClient, SyncState, type MatrixClient } from 'matrix-js-sdk';
import { logger } from 'matrix-js-sdk/lib/logger.js';
import { uniqueName } from './client.ts';
import { quiet, until } from './sdk.ts';

// Some of it does not use the logger it is given.
Object.assign(logger, { methodFactory: () => () => undefined });

/** A user's name and password, to log in with. */
export interface SdkAccount {
  username: string;
  password: string;
}

export async function registerAccount(url: string, prefix: string): Promise<SdkAccount> {
  const username = uniqueName(prefix);
  const account = { username, password: `password of ${username}` };
  const anonymous = createClient({ baseUrl: url, logger: quiet });
  await anonymous.registerRequest({
    ...account,
    inhibit_login: true,
    auth: { type: 'm.login.dummy' },
  });
  return account;
}

/** A new device of a user, with end-to-end encryption by the SDK's Rust library, syncing. */
export async function startEncryptedDevice(
  url: string,
  { username, password }: SdkAccount,
): Promise<MatrixClient> {
  const anonymous = createClient({ baseUrl: url, logger: quiet });
  const made = await anonymous.loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: username },
    password,
  });
  const client = createClient({
    baseUrl: url,
    userId: made.user_id,
    accessToken: made.access_token,
    deviceId: made.device_id,
    logger: quiet,
  });
  await client.initRustCrypto({ useIndexedDB: false });
  const synced = until(client, () => client.getSyncState() === SyncState.Syncing);
  await client.startClient({ initialSyncLimit: 20 });
  await synced;
  return client;
}
