import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import type { Log } from '../../kernel/log.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import type { RoomInvites } from '../room-invites.ts';

export interface OnBindNeeds {
  roomInvites: RoomInvites;
  serverName: string;
  log: Log;
}

/** Invites that wait for one address. */
const invitesMax = 100;

const invite = Type.Object({
  room_id: Type.String(),
  sender: Type.String(),
  mxid: Type.String(),
  signed: Type.Object({
    mxid: Type.String(),
    token: Type.String(),
    signatures: Type.Record(Type.String(), Type.Any()),
  }),
});

export const onBind = endpoint<OnBindNeeds>()({
  operation: 'onBindThirdPartyIdentifier',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/3pid/onbind'],
  // Who signs is checked by the rules of each room.
  auth: 'none',
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
  async handle({ body }, { roomInvites, serverName, log }) {
    const own = (body.invites ?? []).filter(({ sender }) => serverNameOf(sender) === serverName);
    const redeemed = own.map(({ room_id: roomId, sender, mxid: userId, signed }) =>
      roomInvites.redeem({ roomId, sender, userId, signed }).catch((error: unknown) => {
        log.info({ err: error, roomId, userId }, 'an invite by address could not be redeemed');
      }),
    );
    await Promise.all(redeemed);
    return {};
  },
});
