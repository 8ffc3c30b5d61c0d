import { Type } from 'typebox';
import { endpoint, Reply, type RequestInfo } from '../../http/endpoint.ts';
import { readBody } from '../../http/read-body.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { dataBytesMax, revisionOf, type RendezvousSessions } from '../sessions.ts';
import type { RendezvousSession } from '../store/sessions.ts';

export interface Msc4108Needs {
  sessions: RendezvousSessions;
  /** Base of the URLs that are given out, without a slash at the end. */
  publicBaseUrl: string;
}

const declare = endpoint<Msc4108Needs>();
const path = '/_matrix/client/unstable/org.matrix.msc4108/rendezvous';
const common = {
  auth: 'none',
  runsOn: { group: 'client', balance: 'none' },
  source: 'MSC4108, "Insecure rendezvous session"',
} as const;
const one = {
  ...common,
  paths: [`${path}/:id`],
  params: Type.Object({ id: Type.String() }),
} as const;

const etagOf = ({ revision }: RendezvousSession) => `"${revision}"`;

function headersOf(session: RendezvousSession): Record<string, string> {
  return {
    ETag: etagOf(session),
    Expires: new Date(session.expiresTs).toUTCString(),
    'Last-Modified': new Date(session.modifiedTs).toUTCString(),
    'Cache-Control': 'no-store',
    Pragma: 'no-cache',
    'Access-Control-Expose-Headers': 'ETag',
  };
}

/** Browsers are to show nothing of what strangers have stored: plain text only. */
function checkType({ headers }: RequestInfo): void {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type === undefined) throw new MatrixError('M_MISSING_PARAM', 'Missing header: Content-Type');
  if (type !== 'text/plain') {
    throw new MatrixError('M_INVALID_PARAM', 'The Content-Type must be text/plain');
  }
}

const create = declare({
  ...common,
  operation: 'createMsc4108Rendezvous',
  method: 'POST',
  paths: [path],
  rateLimit: 'login',
  summary: 'Opens a channel between two devices of which one is to be signed in',
  bodyMode: 'none',
  errors: ['M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_TOO_LARGE', 'M_LIMIT_EXCEEDED'],
  async handle({ request, raw }, { sessions, publicBaseUrl }) {
    checkType(request);
    const { id, session } = await sessions.create(await readBody(raw.req, dataBytesMax));
    return new Reply(201, { url: `${publicBaseUrl}${path}/${id}` }, headersOf(session));
  },
});

const get = declare({
  ...one,
  operation: 'getMsc4108Rendezvous',
  method: 'GET',
  summary: 'What the other device has said',
  errors: ['M_NOT_FOUND'],
  async handle({ params, request }, { sessions }) {
    const session = await sessions.get(params.id);
    const headers = headersOf(session);
    const tags = (request.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim());
    // A proxy that compresses makes weak tags of ours; here that is no matter (RFC 9110, 13.1.2).
    const known = tags.map((tag) => tag.replace(/^W\//, ''));
    if (known.includes(etagOf(session))) return new Reply(304, undefined, headers);
    const type = { 'Content-Type': 'text/plain', 'X-Content-Type-Options': 'nosniff' };
    return new Reply(200, session.data, { ...headers, ...type });
  },
});

const put = declare({
  ...one,
  operation: 'putMsc4108Rendezvous',
  method: 'PUT',
  summary: 'Says something to the other device',
  bodyMode: 'none',
  errors: ['M_NOT_FOUND', 'M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_TOO_LARGE', 'M_UNKNOWN'],
  async handle({ params, request, raw }, { sessions }) {
    checkType(request);
    const tag = request.headers['if-match'];
    if (tag === undefined) throw new MatrixError('M_MISSING_PARAM', 'Missing header: If-Match');
    const revision = revisionOf(/^"(\d+)"$/.exec(tag.trim())?.[1] ?? '');
    const data = await readBody(raw.req, dataBytesMax);
    const { isWritten, current } = await sessions.put(params.id, revision, data);
    const headers = headersOf(current);
    if (isWritten) return new Reply(202, undefined, headers);
    const error = new MatrixError('M_UNKNOWN', 'The other device has written meanwhile', {
      extra: { 'org.matrix.msc4108.errcode': 'M_CONCURRENT_WRITE' },
    });
    return new Reply(412, error.body(), headers);
  },
});

const remove = declare({
  ...one,
  operation: 'deleteMsc4108Rendezvous',
  method: 'DELETE',
  summary: 'Closes the channel',
  bodyMode: 'none',
  errors: ['M_NOT_FOUND'],
  async handle({ params }, { sessions }) {
    await sessions.delete(params.id);
    return new Reply(204, undefined);
  },
});

export const msc4108Endpoints = [create, get, put, remove];
