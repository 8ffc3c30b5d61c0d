import type { AccountSubscriber } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { keyEndpoints } from './endpoints/keys.ts';
import { versionEndpoints } from './endpoints/versions.ts';
import { createBackupStore } from './store/backups.ts';
import { createKeyStore } from './store/keys.ts';

export interface KeyBackup {
  endpoints: Endpoint[];
  /** Deactivated accounts lose their backups. */
  accountEvents: AccountSubscriber;
}

/** Backups of room keys. */
export function createKeyBackup({ database }: { database: Database }): KeyBackup {
  const services = { backups: createBackupStore(database), keys: createKeyStore(database) };
  return {
    endpoints: bindEndpoints([...versionEndpoints, ...keyEndpoints], services),
    accountEvents: {
      async deactivated({ userNid }) {
        await services.backups.deleteAll(userNid);
      },
    },
  };
}
