import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { changesPage, parseBound } from '../changes.ts';
import type { ThreadSubscriptionStore } from '../store/thread-subscriptions.ts';

export interface ChangesNeeds {
  store: ThreadSubscriptionStore;
  /** The durable position in a `pos` of sliding sync; null: it is none. */
  parsePos(text: string): number | null;
}

const limitDefault = 100;

const invalid = (name: string) =>
  new MatrixError('M_INVALID_PARAM', `\`${name}\` is not a token of this server`);

export const getThreadSubscriptions = endpoint<ChangesNeeds>()({
  operation: 'getThreadSubscriptions',
  method: 'GET',
  paths: ['/_matrix/client/unstable/io.element.msc4308/thread_subscriptions'],
  auth: 'user',
  runsOn: { group: 'client', balance: 'user' },
  summary: 'Changes of subscriptions to threads that sliding sync has left out, newest first',
  source: 'MSC4308',
  query: Type.Object({
    dir: Type.Literal('b'),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  errors: ['M_INVALID_PARAM'],
  async handle({ query, requester }, { store, parsePos }) {
    const { from, to, limit = limitDefault } = query;
    const uptoPos = from === undefined ? Number.MAX_SAFE_INTEGER : parseBound(from);
    if (uptoPos === null) throw invalid('from');
    const afterPos = to === undefined ? 0 : (parseBound(to) ?? parsePos(to));
    if (afterPos === null) throw invalid('to');
    const page = await changesPage(store, requester.userNid, { afterPos, uptoPos, limit });
    return { ...page.shown, ...(page.before === null ? {} : { end: page.before }) };
  },
});
