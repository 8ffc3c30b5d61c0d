import type { IncomingHttpHeaders } from 'node:http';
import { Type } from 'typebox';
import { endpoint, Reply, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { dataBytesMax, revisionOf, type RendezvousSessions } from '../sessions.ts';

export interface Msc4388Needs {
  sessions: RendezvousSessions;
  /** Only users may open channels. */
  needsAccount: boolean;
}

const declare = endpoint<Msc4388Needs>();
const path = '/_matrix/client/unstable/io.element.msc4388/rendezvous';
const runsOn = { group: 'client', balance: 'none' } as const;
const source = 'MSC4388';
const paths = [path];
const one = {
  auth: 'none',
  runsOn,
  source,
  paths: [`${path}/:id`],
  params: Type.Object({ id: Type.String() }),
} as const;

function checkAccount(requester: Requester | null, { needsAccount }: Msc4388Needs): void {
  if (needsAccount && !requester) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token');
}

/** The bytes of a payload. Throws M_TOO_LARGE. */
function bytesOf(data: string): Buffer {
  const bytes = Buffer.from(data);
  if (bytes.length > dataBytesMax) {
    throw new MatrixError('M_TOO_LARGE', `data may have at most ${dataBytesMax} bytes`);
  }
  return bytes;
}

/** Browsers tell what a request is for: a payload is for programs, and never a page to look at. */
function refuseNavigation(headers: IncomingHttpHeaders): void {
  const { 'sec-fetch-dest': dest = 'empty', 'sec-fetch-mode': mode } = headers;
  const { 'sec-fetch-user': user, 'sec-fetch-site': site } = headers;
  if (dest !== 'empty' || mode === 'navigate' || user === '?1' || site === 'none') {
    throw new MatrixError('M_FORBIDDEN', 'This cannot be opened in a browser');
  }
}

const discover = declare({
  operation: 'discoverMsc4388Rendezvous',
  method: 'GET',
  paths,
  auth: 'optional',
  runsOn,
  summary: 'Whether channels between devices can be opened here',
  source,
  errors: ['M_MISSING_TOKEN'],
  handle({ requester }, needs) {
    checkAccount(requester, needs);
    return { create_available: true };
  },
});

const create = declare({
  operation: 'createMsc4388Rendezvous',
  method: 'POST',
  paths,
  auth: 'optional',
  rateLimit: 'login',
  runsOn,
  summary: 'Opens a channel between two devices of which one is to be signed in',
  source,
  body: Type.Object({ data: Type.String() }),
  errors: ['M_MISSING_TOKEN', 'M_TOO_LARGE', 'M_LIMIT_EXCEEDED'],
  async handle({ requester, body }, needs) {
    checkAccount(requester, needs);
    const { id, session } = await needs.sessions.create(bytesOf(body.data));
    return {
      id,
      sequence_token: String(session.revision),
      expires_in_ms: needs.sessions.expiresInMs(session),
    };
  },
});

const get = declare({
  ...one,
  operation: 'getMsc4388Rendezvous',
  method: 'GET',
  summary: 'What the other device has said',
  errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  async handle({ params, request }, { sessions }) {
    refuseNavigation(request.headers);
    const session = await sessions.get(params.id);
    const answer = {
      data: session.data.toString(),
      sequence_token: String(session.revision),
      expires_in_ms: sessions.expiresInMs(session),
    };
    return new Reply(200, answer, { 'Cache-Control': 'no-store' });
  },
});

const put = declare({
  ...one,
  operation: 'putMsc4388Rendezvous',
  method: 'PUT',
  summary: 'Says something to the other device',
  body: Type.Object({ sequence_token: Type.String(), data: Type.String() }),
  errors: ['M_NOT_FOUND', 'M_TOO_LARGE'],
  async handle({ params, body }, { sessions }) {
    const data = bytesOf(body.data);
    const revision = revisionOf(body.sequence_token);
    const { isWritten, current } = await sessions.put(params.id, revision, data);
    // A request that is sent again after its answer was lost.
    const isRepeated = current.revision === revision + 1 && current.data.equals(data);
    if (isWritten || isRepeated) return { sequence_token: String(current.revision) };
    return new Reply(409, {
      errcode: 'IO_ELEMENT_MSC4388_CONCURRENT_WRITE',
      error: 'The other device has written meanwhile',
    });
  },
});

const remove = declare({
  ...one,
  operation: 'deleteMsc4388Rendezvous',
  method: 'DELETE',
  summary: 'Closes the channel',
  bodyMode: 'none',
  errors: ['M_NOT_FOUND'],
  async handle({ params }, { sessions }) {
    await sessions.delete(params.id);
    return {};
  },
});

export const msc4388Endpoints = [discover, create, get, put, remove];
