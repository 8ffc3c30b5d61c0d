import { createHash } from 'node:crypto';
import type { SendJson } from '../http/json-client.ts';
import { checkIdServer, refusal, unreachable } from './identity-servers.ts';

/** An identity server as one of its users asks it. */
export interface IdentityAccess {
  /** Host with an optional port and path. */
  idServer: string;
  idAccessToken: string;
}

/** What an identity server has to say about people invited by address. */
export interface IdentityLookups {
  /** Who has an address or number; null: nobody known. */
  lookUp(access: IdentityAccess, medium: string, address: string): Promise<string | null>;
  /** Keeps an invite until the address is somebody's; it sends a mail. */
  storeInvite(access: IdentityAccess, invite: Record<string, unknown>): Promise<StoredInvite>;
}

/** Content and state key of m.room.third_party_invite. */
export interface StoredInvite {
  token: string;
  displayName: string;
  publicKeys: { public_key: string; key_validity_url: string }[];
}

/** Source: identity service API 1.19, "Association lookup" and "Invitation storage". */
export function createIdentityLookups(sendOutside: SendJson): IdentityLookups {
  async function ask(
    { idServer, idAccessToken }: IdentityAccess,
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<Record<string, unknown>> {
    checkIdServer(idServer);
    const answer = await sendOutside({
      method,
      url: `https://${idServer}/_matrix/identity/v2${path}`,
      headers: { Authorization: `Bearer ${idAccessToken}` },
      body,
    }).catch((error: unknown) => {
      throw unreachable(error);
    });
    if (answer.status !== 200) throw refusal(answer);
    if (!answer.body) throw unreachable(null);
    return answer.body;
  }

  return {
    async lookUp(access, medium, address) {
      const details = await ask(access, 'GET', '/hash_details');
      const { algorithms, lookup_pepper: pepper } = details;
      const known = Array.isArray(algorithms) ? algorithms : [];
      const isHashed = known.includes('sha256');
      if (!isHashed && !known.includes('none')) throw unreachable(null);
      const key = isHashed
        ? createHash('sha256')
            .update(`${address} ${medium} ${String(pepper)}`)
            .digest('base64url')
        : `${address} ${medium}`;
      const algorithm = isHashed ? 'sha256' : 'none';
      const wanted = { addresses: [key], algorithm, pepper };
      const { mappings } = await ask(access, 'POST', '/lookup', wanted);
      const found = (mappings as Record<string, unknown> | undefined)?.[key];
      return typeof found === 'string' ? found : null;
    },
    async storeInvite(access, invite) {
      const stored = await ask(access, 'POST', '/store-invite', invite);
      const { token, display_name: displayName, public_keys: keys, public_key: key } = stored;
      const isSane = typeof token === 'string' && typeof displayName === 'string';
      if (!isSane) throw unreachable(null);
      const validityUrl = `https://${access.idServer}/_matrix/identity/v2/pubkey/isvalid`;
      const given = (Array.isArray(keys) ? keys : []) as StoredInvite['publicKeys'];
      const publicKeys = given.filter((one) => typeof one?.public_key === 'string');
      if (publicKeys.length === 0 && typeof key === 'string') {
        publicKeys.push({ public_key: key, key_validity_url: validityUrl });
      }
      if (publicKeys.length === 0) throw unreachable(null);
      return { token, displayName, publicKeys };
    },
  };
}
