import { Type } from 'typebox';
import { endpoint, JsonText } from '../../http/endpoint.ts';
import type { SyncSources } from '../../sync/module.ts';
import { parsePos } from '../connections.ts';
import type { SlidingSync } from '../engine.ts';
import { parseRequest, requestBody } from '../request.ts';

export interface SlidingSyncEndpointNeeds {
  slidingSync: SlidingSync;
  presence: SyncSources['presence'];
}

/** Longest wait for something new, whatever the client asks for. */
const timeoutMsMax = 10 * 60 * 1000;

const presenceState = Type.Union([
  Type.Literal('online'),
  Type.Literal('unavailable'),
  Type.Literal('offline'),
]);

export const slidingSyncEndpoint = endpoint<SlidingSyncEndpointNeeds>()({
  operation: 'slidingSync',
  method: 'POST',
  paths: ['/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'],
  auth: 'guest',
  runsOn: { group: 'sync', balance: 'user' },
  summary: 'What is new in the rooms that a client looks at, waiting for it if need be',
  source: 'MSC4186',
  query: Type.Object({
    pos: Type.Optional(Type.String()),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    set_presence: Type.Optional(presenceState),
  }),
  body: requestBody,
  errors: ['M_INVALID_PARAM', 'M_UNKNOWN_POS'],
  async handle({ query, body, requester, request }, { slidingSync, presence }) {
    const place = query.pos ? parsePos(query.pos) : null;
    const wish = parseRequest(body, requester.userId);
    const end = presence.syncing(requester, query.set_presence ?? 'online');
    try {
      const answer = await slidingSync.sync({
        reader: requester,
        request: wish,
        place,
        timeoutMs: place ? Math.min(query.timeout ?? 0, timeoutMsMax) : 0,
        caller: request,
      });
      return new JsonText(answer);
    } finally {
      end();
    }
  },
});
