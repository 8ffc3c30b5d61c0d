import type { Queryable } from '../database/database.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { ServerKeysConfig } from './config.ts';
import { keyEndpoints } from './endpoints/keys.ts';
import { createKeyFetcher } from './fetch-keys.ts';
import { createKeyRing, type KeyRing } from './key-ring.ts';
import { createNotary } from './notary.ts';
import { createOwnKeys } from './own-keys.ts';
import { createServerKeyStore } from './store/server-keys.ts';

export type { ServerKeysConfig, TrustedKeyServer } from './config.ts';
export type { KeyRing } from './key-ring.ts';

export interface ServerKeysNeeds {
  config: ServerKeysConfig;
  database: Queryable;
  federation: Pick<FederationClient, 'request'>;
  signingKey: SigningKey;
  /** Signs what is passed on of others. */
  notaryKey: SigningKey;
  clock: Clock;
}

/** Keys that servers sign with: this one's, published, and others', fetched and kept. */
export interface ServerKeys {
  keyRing: KeyRing;
  endpoints: Endpoint[];
}

export function createServerKeys(needs: ServerKeysNeeds): ServerKeys {
  const { config, database, federation, signingKey, notaryKey, clock } = needs;
  const { serverName, trusted } = config;
  const store = createServerKeyStore(database);
  const own = createOwnKeys(config, signingKey, clock);
  const fetchKeys = createKeyFetcher({ federation, clock, trusted });
  const keyRing = createKeyRing({ serverName, own, store, fetchKeys, clock });
  const notary = createNotary({ serverName, own, keyRing, store, signingKey: notaryKey, clock });
  return { keyRing, endpoints: bindEndpoints(keyEndpoints, { own, notary, clock }) };
}
