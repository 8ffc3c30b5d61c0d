import { Type } from 'typebox';

/** What an identity server signs for whoever redeems an invite. */
export const signedInvite = Type.Object({
  mxid: Type.String(),
  token: Type.String(),
  signatures: Type.Record(Type.String(), Type.Any()),
});
