import { Type } from 'typebox';
import { endpoint, JsonText, StreamedBody } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { emptyFilter, parseFilter, type Filter } from '../../matrix/filters/filter.ts';
import { InvalidFilter } from '../../matrix/filters/json-shape.ts';
import { arriveAt, type Bus } from '../../streams/bus.ts';
import { isSynapsePosition, parsePosition } from '../../streams/position.ts';
import type { SyncEngine } from '../engine.ts';
import type { SyncSources } from '../sources.ts';

export interface SyncEndpointNeeds {
  bus: Bus;
  engine: SyncEngine;
  sources: SyncSources;
}

/** Longest wait for something new, whatever the client asks for. */
const timeoutMsMax = 10 * 60 * 1000;

const presenceState = Type.Union([
  Type.Literal('online'),
  Type.Literal('unavailable'),
  Type.Literal('offline'),
]);

async function filterOf(
  text: string | undefined,
  userNid: number,
  { filters }: SyncSources,
): Promise<Filter> {
  if (text === undefined || text === '') return emptyFilter;
  if (!text.startsWith('{')) {
    try {
      return await filters.byId(userNid, text);
    } catch (error) {
      if (!(error instanceof MatrixError) || error.code !== 'M_NOT_FOUND') throw error;
      throw new MatrixError('M_INVALID_PARAM', error.message);
    }
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new MatrixError('M_NOT_JSON', '`filter` is neither a filter id nor JSON');
  }
  try {
    return parseFilter(json);
  } catch (error) {
    if (error instanceof InvalidFilter) throw new MatrixError('M_INVALID_PARAM', error.message);
    throw error;
  }
}

/**
 * Where a client is by its sync token, as this process counts; null: it begins anew. Throws
 * M_INVALID_PARAM.
 */
export async function sinceOf(bus: Bus, text: string | undefined) {
  if (text === undefined || text === '' || isSynapsePosition(text)) return null;
  const position = parsePosition(text);
  if (!position) throw new MatrixError('M_INVALID_PARAM', '`since` is not a token of this server');
  return arriveAt(bus, position);
}

export const sync = endpoint<SyncEndpointNeeds>()({
  operation: 'sync',
  method: 'GET',
  paths: ['v3', 'r0', 'v2_alpha', 'unstable', 'api/v1'].map((p) => `/_matrix/client/${p}/sync`),
  auth: 'guest',
  runsOn: { group: 'sync', balance: 'user' },
  summary: "What is new in the user's rooms and data, waiting for it if need be",
  source: 'CS 1.19, sync; MSC4222',
  query: Type.Object({
    filter: Type.Optional(Type.String()),
    since: Type.Optional(Type.String()),
    full_state: Type.Optional(Type.Boolean()),
    set_presence: Type.Optional(presenceState),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    use_state_after: Type.Optional(Type.Boolean()),
    'org.matrix.msc4222.use_state_after': Type.Optional(Type.Boolean()),
  }),
  errors: ['M_INVALID_PARAM', 'M_NOT_JSON'],
  async handle({ query, requester, request }, { bus, engine, sources }) {
    const since = await sinceOf(bus, query.since);
    const filter = await filterOf(query.filter, requester.userNid, sources);
    const fullState = query.full_state ?? false;
    // Who begins anew, or wants the whole state, is answered at once.
    const isWaiting = since !== null && !fullState;
    const end = sources.presence.syncing(requester, query.set_presence ?? 'online');
    try {
      const answer = await engine.sync({
        reader: requester,
        since,
        goesOn: since !== null && parsePosition(query.since ?? '')?.tag === bus.tag,
        filter,
        fullState,
        stateAfter: query.use_state_after ?? query['org.matrix.msc4222.use_state_after'] ?? false,
        timeoutMs: isWaiting ? Math.min(query.timeout ?? 0, timeoutMsMax) : 0,
        caller: request,
      });
      return typeof answer === 'string' ? new JsonText(answer) : new StreamedBody(answer);
    } finally {
      end();
    }
  },
});
