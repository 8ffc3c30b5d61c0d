import type { Endpoint, Requester } from '../http/endpoint.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Consents } from './consents.ts';

/** What the guard asks of others. */
export interface GuardNeeds {
  consents: Consents;
  /** The message, with `%(consent_uri)s` for the link. */
  message: string;
  isNoticeRoom(roomId: string): Promise<boolean>;
}

/** Requests by which a user does something that others in rooms see. */
const guarded = new Set([
  'createRoom',
  'joinRoom',
  'joinRoomWithTxn',
  'joinRoomById',
  'joinRoomByIdWithTxn',
  'knockRoom',
  'inviteUser',
  'inviteUserWithTxn',
  'sendMessage',
  'sendMessageWithoutTxn',
  'setRoomStateWithKey',
  'redactEvent',
  'redactEventWithoutTxn',
  'upgradeRoom',
]);

/** Taking oneself out is always allowed. */
const isLeaving = (body: unknown) => (body as { membership?: unknown })?.membership === 'leave';

/** Users who have not accepted the terms get M_CONSENT_NOT_GIVEN, with the link to them. */
export function guardByConsent(endpoints: readonly Endpoint[], needs: GuardNeeds): Endpoint[] {
  const { consents, message, isNoticeRoom } = needs;

  async function check(requester: Requester, roomId: string | undefined): Promise<void> {
    if (requester.appservice || (await consents.has(requester.userNid))) return;
    // Where the user is told of the terms, the user may answer.
    if (roomId !== undefined && (await isNoticeRoom(roomId))) return;
    const link = consents.linkFor(requester.userId);
    throw new MatrixError('M_CONSENT_NOT_GIVEN', message.replaceAll('%(consent_uri)s', link), {
      extra: { consent_uri: link },
    });
  }

  return endpoints.map((endpoint) => {
    if (!guarded.has(endpoint.operation)) return endpoint;
    return {
      ...endpoint,
      async handle(context) {
        const { roomId, roomIdOrAlias } = context.params as Record<string, string | undefined>;
        if (context.requester && !isLeaving(context.body)) {
          await check(context.requester, roomId ?? roomIdOrAlias);
        }
        return endpoint.handle(context);
      },
    };
  });
}
