import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isUserId } from '../../matrix/ids.ts';
import type { RedeemedInvites } from '../redeemed-invites.ts';
import { signedInvite } from './signed-invite.ts';

const invalid = (message: string) => new MatrixError('M_INVALID_PARAM', message);

export const exchangeInvite = endpoint<{ redeemedInvites: RedeemedInvites }>()({
  operation: 'exchangeThirdPartyInvite',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/exchange_third_party_invite/:roomId'],
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
  summary:
    'Invites whoever an invite by mail address or phone number was for, at the wish of its server',
  source: 'SS 1.19, exchangeThirdPartyInvite',
  body: Type.Object({
    type: Type.String(),
    room_id: Type.String(),
    sender: Type.String(),
    state_key: Type.String(),
    content: Type.Object({
      membership: Type.String(),
      third_party_invite: Type.Object({ signed: signedInvite }),
    }),
  }),
  answers: { 200: Type.Object({}) },
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM', 'M_UNKNOWN'],
  async handle({ params, body, origin }, { redeemedInvites }) {
    const { type, room_id: roomId, sender, state_key: userId, content } = body;
    const { membership, third_party_invite: given } = content;
    if (roomId !== params['roomId']) throw invalid('The event is of another room');
    if (type !== 'm.room.member' || membership !== 'invite') {
      throw invalid('The event is no invite');
    }
    if (!isUserId(sender) || !isUserId(userId)) throw invalid('Sender or state_key is no user');
    await redeemedInvites.exchange({ roomId, sender, userId, signed: given.signed }, origin);
    return {};
  },
});
