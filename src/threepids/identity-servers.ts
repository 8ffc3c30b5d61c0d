import type { UserRef } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { MatrixError, errorStatus, type ErrorCode } from '../kernel/errors.ts';
import { requestAuthorization } from '../matrix/request-signing.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { SendJson } from '../http/json-client.ts';
import { deleteBinding, insertBinding, selectBindings, type BindingRow } from './store/bindings.ts';

/** Tells identity servers that clients name whose an address is. Source: identity service 1.19. */
export interface IdentityServers {
  /** Publishes what a session of the identity server has proven. */
  bind(user: UserRef, wish: BindWish): Promise<void>;
  /**
   * Takes it back: from `idServer`, or from all known ones. False: one of them does not do that, or
   * none is known. Rejects when one cannot be told.
   */
  unbind(
    user: UserRef,
    threepid: { medium: string; address: string },
    idServer: string | null,
  ): Promise<boolean>;
  /** Everything of the user; see `unbind`. */
  unbindAll(user: UserRef, idServer: string | null): Promise<boolean>;
}

export interface BindWish {
  idServer: string;
  idAccessToken: string;
  sid: string;
  clientSecret: string;
}

export interface IdentityServersNeeds {
  database: Database;
  serverName: string;
  signingKey: SigningKey;
  /** To servers that clients name: never to addresses inside. */
  send: SendJson;
}

/** Answers of servers that cannot unbind. */
const withoutSupport = new Set([400, 404, 501]);

const idServerPattern = /^(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?(?:\/[a-z0-9\-._~/]*)?$/i;

/** Host with an optional port and path. Throws M_INVALID_PARAM. */
export function checkIdServer(idServer: string): void {
  if (idServerPattern.test(idServer)) return;
  throw new MatrixError(
    'M_INVALID_PARAM',
    'id_server must be a valid hostname with optional port and path components',
  );
}

/** An answer other than 200, as our client gets it. */
export function refusal(answer: { status: number; body: Record<string, unknown> | null }) {
  const { errcode, error } = answer.body ?? {};
  const isKnown = typeof errcode === 'string' && Object.hasOwn(errorStatus, errcode);
  const message = typeof error === 'string' ? error : 'The identity server refused the request';
  return new MatrixError(isKnown ? (errcode as ErrorCode) : 'M_UNKNOWN', message, {
    status: answer.status >= 400 && answer.status < 500 ? answer.status : 502,
  });
}

export function unreachable(cause: unknown): MatrixError {
  return new MatrixError('M_UNKNOWN', 'Failed to contact identity server', { status: 500, cause });
}

export function createIdentityServers(needs: IdentityServersNeeds): IdentityServers {
  const { database, serverName, signingKey } = needs;
  const send: SendJson = (request) =>
    needs.send(request).catch((error: unknown) => {
      throw unreachable(error);
    });

  async function unbindFrom(user: UserRef, { medium, address, idServer }: BindingRow) {
    checkIdServer(idServer);
    const uri = '/_matrix/identity/v2/3pid/unbind';
    const body = { mxid: user.userId, threepid: { medium, address } };
    const signed = { method: 'POST', uri, destination: idServer, content: body };
    const headers = { Authorization: requestAuthorization(signed, serverName, signingKey) };
    const answer = await send({ method: 'POST', url: `https://${idServer}${uri}`, headers, body });
    if (answer.status !== 200 && !withoutSupport.has(answer.status)) throw unreachable(null);
    await database.query(deleteBinding, [user.userNid, medium, address, idServer]);
    return answer.status === 200;
  }

  async function unbindEach(user: UserRef, bindings: readonly BindingRow[]): Promise<boolean> {
    const results = await Promise.all(bindings.map((binding) => unbindFrom(user, binding)));
    return results.length > 0 && results.every(Boolean);
  }

  return {
    async bind(user, { idServer, idAccessToken, sid, clientSecret }) {
      checkIdServer(idServer);
      const answer = await send({
        method: 'POST',
        url: `https://${idServer}/_matrix/identity/v2/3pid/bind`,
        headers: { Authorization: `Bearer ${idAccessToken}` },
        body: { sid, client_secret: clientSecret, mxid: user.userId },
      });
      const { medium, address } = answer.body ?? {};
      if (answer.status !== 200) throw refusal(answer);
      if (typeof medium !== 'string' || typeof address !== 'string') throw unreachable(null);
      await database.query(insertBinding, [user.userNid, medium, address, idServer]);
    },
    async unbind(user, { medium, address }, idServer) {
      if (idServer !== null) return unbindFrom(user, { medium, address, idServer });
      const all = await database.query(selectBindings, [user.userNid]);
      const own = all.filter((one) => one.medium === medium && one.address === address);
      return unbindEach(user, own);
    },
    async unbindAll(user, idServer) {
      const all = await database.query(selectBindings, [user.userNid]);
      const asked = idServer === null ? all : all.map((one) => ({ ...one, idServer }));
      return asked.length === 0 || unbindEach(user, asked);
    },
  };
}
