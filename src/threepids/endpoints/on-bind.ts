import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { inGroups } from '../../kernel/in-groups.ts';
import type { Log } from '../../kernel/log.ts';
import { isUserId } from '../../matrix/ids.ts';
import type { RedeemedInvites } from '../redeemed-invites.ts';
import { signedInvite } from './signed-invite.ts';

export interface OnBindNeeds {
  redeemedInvites: RedeemedInvites;
  /** Whether it is an account of this server, and in use. */
  isActive(userId: string): Promise<boolean>;
  log: Log;
}

/** Invites that wait for one address. */
const invitesMax = 100;
/** Those of them that are redeemed at once: each may ask another server. */
const redeemedAtOnce = 5;

const invite = Type.Object({
  room_id: Type.String(),
  sender: Type.String(),
  mxid: Type.String(),
  signed: signedInvite,
});

export const onBind = endpoint<OnBindNeeds>()({
  operation: 'onBindThirdPartyIdentifier',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/3pid/onbind'],
  // Who signs is checked by the rules of each room.
  auth: 'none',
  rateLimit: 'third_party_invite',
  resource: 'federation',
  runsOn: { group: 'main', balance: 'none' },
  summary: 'An identity server says that an address for which there are invites is a user’s now',
  source: 'SS 1.19, onBindThirdPartyIdentifier',
  body: Type.Object({
    medium: Type.String(),
    address: Type.String(),
    mxid: Type.String(),
    invites: Type.Optional(Type.Array(invite, { maxItems: invitesMax })),
  }),
  errors: ['M_LIMIT_EXCEEDED'],
  async handle({ body }, { redeemedInvites, isActive, log }) {
    const { mxid: userId, invites = [] } = body;
    if (invites.length === 0 || !(await isActive(userId))) return {};
    const own = invites.filter(
      ({ mxid, sender, signed }) => mxid === userId && signed.mxid === userId && isUserId(sender),
    );
    await inGroups(own, redeemedAtOnce, ({ room_id: roomId, sender, signed }) =>
      redeemedInvites.redeem({ roomId, sender, userId, signed }).catch((error: unknown) => {
        log.info({ err: error, roomId, userId }, 'an invite by address could not be redeemed');
      }),
    );
    return {};
  },
});
