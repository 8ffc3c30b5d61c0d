import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createTestCertificate } from '../../src/http/test-certificate.ts';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { generateSigningKeyLine, parseSigningKey, signJson } from '../../src/matrix/signing.ts';
import type { Json } from './client.ts';

/** An identity server (identity service API v2), as much of it as homeservers ask. */
export interface IdentityServer {
  /** `localhost:<port>` */
  name: string;
  /** PEM of the authority to believe. */
  certificate: string;
  /** Address → user id, of those who can be found. */
  known: Map<string, string>;
  /** Invites stored for addresses nobody has. */
  stored: Json[];
  /** What homeservers have asked to be forgotten: the `Authorization` header and the body. */
  unbound: { authorization: string; body: Json }[];
  /** Whether its key still counts. */
  isKeyValid: boolean;
  /** What is signed for a user who redeems an invite. */
  sign(userId: string, token: string): JsonObject;
  close(): void;
}

const pepper = 'a pepper';
export const identityToken = 'an identity token';

export async function startIdentityServer(): Promise<IdentityServer> {
  const { certificate, key } = createTestCertificate();
  const signingKey = parseSigningKey(generateSigningKeyLine('0'));
  const known = new Map<string, string>();
  const stored: Json[] = [];
  const unbound: IdentityServer['unbound'] = [];
  let name = '';

  function answer(path: string, body: Json, authorization: string): [number, Json] {
    if (path.startsWith('pubkey/isvalid?')) {
      const key = new URLSearchParams(path.slice(path.indexOf('?'))).get('public_key');
      return [200, { valid: identity.isKeyValid && key === signingKey.publicKey }];
    }
    if (path === '3pid/unbind') {
      unbound.push({ authorization, body });
      return [200, {}];
    }
    if (authorization !== `Bearer ${identityToken}`) return [401, { errcode: 'M_UNAUTHORIZED' }];
    if (path === 'hash_details') return [200, { algorithms: ['sha256'], lookup_pepper: pepper }];
    if (path === '3pid/bind')
      return [200, { medium: 'email', address: `${body['sid']}@x.example` }];
    if (path === 'lookup') {
      const mappings = [...known].map(([address, userId]) => {
        const hash = createHash('sha256').update(`${address} email ${pepper}`).digest('base64url');
        return [hash, userId];
      });
      const wanted = mappings.filter(([hash]) => (body['addresses'] as string[]).includes(hash!));
      return [200, { mappings: Object.fromEntries(wanted) as Json }];
    }
    if (path !== 'store-invite') return [404, { errcode: 'M_UNRECOGNIZED' }];
    stored.push(body);
    const url = `https://${name}/_matrix/identity/v2/pubkey/isvalid`;
    const keys = [{ public_key: signingKey.publicKey, key_validity_url: url }];
    return [200, { token: `token${stored.length}`, display_name: 'a...@x', public_keys: keys }];
  }

  const server = createServer({ cert: certificate, key }, (req, res) => {
    const reply = (raw: string) => {
      const body = (raw === '' ? {} : JSON.parse(raw)) as Json;
      const path = req.url!.replace('/_matrix/identity/v2/', '');
      const [status, result] = answer(path, body, req.headers.authorization ?? '');
      res.writeHead(status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(result));
    };
    void text(req).then(reply);
  });
  const identity: IdentityServer = {
    name: '',
    isKeyValid: true,
    certificate,
    known,
    stored,
    unbound,
    sign: (userId, token) => signJson({ mxid: userId, token }, name, signingKey),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  server.listen(0, 'localhost');
  await once(server, 'listening');
  name = `localhost:${(server.address() as AddressInfo).port}`;
  identity.name = name;
  return identity;
}
