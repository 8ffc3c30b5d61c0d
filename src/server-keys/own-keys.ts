import type { Clock } from '../kernel/clock.ts';
import { canonicalJson } from '../matrix/canonical-json.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { ServerKey } from '../matrix/server-keys.ts';
import { signJson, type SigningKey } from '../matrix/signing.ts';
import type { ServerKeysConfig } from './config.ts';

/** The keys of this server. */
export interface OwnKeys {
  /** What it publishes: valid for another half of the configured time at least. */
  published(): JsonObject;
  find(keyId: string): ServerKey | null;
}

export function createOwnKeys(
  { serverName, oldKeys, validMs }: Omit<ServerKeysConfig, 'trusted'>,
  signingKey: SigningKey,
  clock: Clock,
): OwnKeys {
  const old = Object.fromEntries(
    [...oldKeys].map(([id, { publicKey, validUntilTs }]) => [
      id,
      { key: publicKey, expired_ts: validUntilTs },
    ]),
  );
  let made: JsonObject = {};
  let madeTs = -Infinity;

  return {
    published() {
      const now = clock.now();
      if (now - madeTs < validMs / 2) return made;
      madeTs = now;
      const keys = {
        server_name: serverName,
        valid_until_ts: now + validMs,
        verify_keys: { [signingKey.id]: { key: signingKey.publicKey } },
        old_verify_keys: old,
      };
      // In the order in which it was signed, for readers who check the bytes as they came.
      const canonical = canonicalJson(signJson(keys, serverName, signingKey));
      made = JSON.parse(canonical) as JsonObject;
      return made;
    },
    find(keyId) {
      if (keyId !== signingKey.id) return oldKeys.get(keyId) ?? null;
      return { publicKey: signingKey.publicKey, validUntilTs: clock.now() + validMs };
    },
  };
}
