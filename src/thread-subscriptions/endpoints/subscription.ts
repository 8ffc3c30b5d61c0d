import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import {
  subscribeToThread,
  subscriptionOf,
  unsubscribeFromThread,
  type ThreadSubscriptionServices,
} from '../subscriptions.ts';

const declare = endpoint<ThreadSubscriptionServices>();
const paths = [
  '/_matrix/client/unstable/io.element.msc4306/rooms/:roomId/thread/:threadId/subscription',
] as const;
const shared = {
  paths,
  auth: 'user',
  runsOn: { group: 'client', balance: 'room' },
  source: 'MSC4306',
} as const;

const getThreadSubscription = declare({
  ...shared,
  operation: 'getThreadSubscription',
  method: 'GET',
  summary: 'Whether the user subscribes to a thread',
  errors: ['M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params, requester }, services) {
    const { roomId, threadId } = params;
    const { isAutomatic } = await subscriptionOf(services, requester, roomId!, threadId!);
    return { automatic: isAutomatic };
  },
});

const setThreadSubscription = declare({
  ...shared,
  operation: 'setThreadSubscription',
  method: 'PUT',
  summary: 'Subscribes the user to a thread',
  body: Type.Object({ automatic: Type.Optional(Type.String()) }),
  errors: [
    'M_NOT_FOUND',
    'M_INVALID_PARAM',
    'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD',
    'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
  ],
  async handle({ params, body, requester }, services) {
    const { roomId, threadId } = params;
    await subscribeToThread(services, requester, roomId!, threadId!, body.automatic ?? null);
    return {};
  },
});

const deleteThreadSubscription = declare({
  ...shared,
  operation: 'deleteThreadSubscription',
  method: 'DELETE',
  summary: 'Ends the subscription of the user to a thread',
  bodyMode: 'none',
  errors: ['M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params, requester }, services) {
    const { roomId, threadId } = params;
    await unsubscribeFromThread(services, requester, roomId!, threadId!);
    return {};
  },
});

export const subscriptionEndpoints = [
  getThreadSubscription,
  setThreadSubscription,
  deleteThreadSubscription,
];
