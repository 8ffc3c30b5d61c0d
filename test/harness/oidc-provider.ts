import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Json } from './client.ts';

/** Claims and header of a token that is about to be signed. */
export interface TokenDraft {
  header: Json;
  claims: Json;
}

/** An OpenID Connect provider that a test plays. Whoever comes is the user that is set. */
export interface TestOidcProvider {
  url: string;
  /** Claims of who is logged in there. */
  user: Json;
  /** Spoils tokens. */
  tamper: ((draft: TokenDraft) => void) | null;
  /** Members of the discovery document that differ. */
  metadata: Json;
  /** Query of each request to authorise. */
  authorised: URLSearchParams[];
  /** Form and `Authorization` header of each exchange of a code. */
  exchanged: { form: URLSearchParams; authorization: string }[];
  /** Answers of the token endpoint in place of tokens. */
  tokenAnswer: { status: number; body: string } | null;
  userinfoAs: 'json' | 'jwt';
  /** What the endpoint for claims says besides. */
  userinfo: Json;
  /** It has a new key, and no longer the one before. */
  changeKey(): void;
  /** What is at `/picture`. */
  picture: { type: string; bytes: Buffer };
  signed(claims: Json): string;
  close(): void;
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

export async function startOidcProvider(clientId: string): Promise<TestOidcProvider> {
  const newPair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
  let pair: { publicKey: KeyObject; privateKey: KeyObject } = newPair();
  let keyCount = 1;
  const codes = new Map<string, { query: URLSearchParams; user: Json }>();
  const users = new Map<string, Json>();

  function signed(claims: Json): string {
    const draft = {
      header: { alg: 'RS256', kid: `key${keyCount}` } as Json,
      claims: {
        iss: provider.url,
        aud: clientId,
        iat: Math.floor(Date.now() / 1000),
        exp: Math.floor(Date.now() / 1000) + 60,
        ...claims,
      } as Json,
    };
    provider.tamper?.(draft);
    const head = `${encoded(draft.header)}.${encoded(draft.claims)}`;
    return `${head}.${sign('sha256', Buffer.from(head), pair.privateKey).toString('base64url')}`;
  }

  function authorise(query: URLSearchParams): [number, Json | string, Json?] {
    provider.authorised.push(query);
    const code = randomUUID();
    codes.set(code, { query, user: provider.user });
    const fields = { code, state: query.get('state')! };
    if (query.get('response_mode') === 'form_post') return [200, fields];
    const back = new URL(query.get('redirect_uri')!);
    for (const [name, value] of Object.entries(fields)) back.searchParams.set(name, value);
    return [302, '', { Location: back.href }];
  }

  function exchange(form: URLSearchParams): [number, Json | string] {
    if (provider.tokenAnswer) return [provider.tokenAnswer.status, provider.tokenAnswer.body];
    const known = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const refused: [number, Json] = [
      400,
      { error: 'invalid_grant', error_description: 'No <code>' },
    ];
    if (!known || known.query.get('redirect_uri') !== form.get('redirect_uri')) return refused;
    const challenge = known.query.get('code_challenge');
    const verifier = createHash('sha256').update(form.get('code_verifier') ?? '');
    if (challenge !== null && challenge !== verifier.digest('base64url')) return refused;
    const accessToken = randomUUID();
    users.set(accessToken, known.user);
    const digest = createHash('sha256').update(accessToken).digest();
    const claims = {
      nonce: known.query.get('nonce'),
      at_hash: digest.subarray(0, 16).toString('base64url'),
      ...known.user,
    };
    const isOpenId = known.query.get('scope')!.split(' ').includes('openid');
    return [
      200,
      {
        access_token: accessToken,
        token_type: 'Bearer',
        ...(isOpenId ? { id_token: signed(claims) } : {}),
      },
    ];
  }

  function answer(path: string, query: URLSearchParams, form: URLSearchParams, bearer: string) {
    const at = (name: string) => `${provider.url}/${name}`;
    switch (path) {
      case '/.well-known/openid-configuration':
        return [
          200,
          {
            issuer: provider.url,
            authorization_endpoint: at('authorise?fixed=1'),
            token_endpoint: at('token'),
            userinfo_endpoint: at('userinfo'),
            jwks_uri: at('keys'),
            code_challenge_methods_supported: ['S256'],
            id_token_signing_alg_values_supported: ['RS256'],
            ...provider.metadata,
          },
        ] as const;
      case '/keys': {
        const key = pair.publicKey.export({ format: 'jwk' });
        return [200, { keys: [{ ...key, kid: `key${keyCount}`, use: 'sig' }] }] as const;
      }
      case '/authorise':
        return authorise(query);
      case '/token':
        return exchange(form);
      case '/userinfo': {
        const user = users.get(bearer.replace('Bearer ', ''));
        if (!user) return [401, {}] as const;
        const claims = { ...user, ...provider.userinfo };
        return provider.userinfoAs === 'json'
          ? ([200, claims] as const)
          : ([200, signed(claims), { 'Content-Type': 'application/jwt' }] as const);
      }
      default:
        return [404, {}] as const;
    }
  }

  const server = createServer((req, res) => {
    void text(req).then((body) => {
      const url = new URL(req.url!, provider.url);
      const form = new URLSearchParams(body);
      const authorization = req.headers.authorization ?? '';
      if (url.pathname === '/picture') {
        const { type, bytes } = provider.picture;
        res.writeHead(200, { 'Content-Type': type }).end(bytes);
        return;
      }
      if (url.pathname === '/token') provider.exchanged.push({ form, authorization });
      const [status, content, headers = {}] = answer(
        url.pathname,
        url.searchParams,
        form,
        authorization,
      );
      res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      res.end(typeof content === 'string' ? content : JSON.stringify(content));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const provider: TestOidcProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    user: {},
    tamper: null,
    metadata: {},
    authorised: [],
    exchanged: [],
    tokenAnswer: null,
    userinfoAs: 'json',
    userinfo: {},
    picture: { type: 'image/png', bytes: Buffer.from('a picture') },
    changeKey() {
      pair = newPair();
      keyCount += 1;
    },
    signed,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return provider;
}
