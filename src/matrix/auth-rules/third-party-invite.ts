import { isJsonObject, type JsonObject } from '../pdu.ts';
import { signableBytes, verifyBytes } from '../signing.ts';
import { membershipIn, type RuleContext } from './context.ts';
import { require } from './not-authorised.ts';

function publicKeysOf(content: JsonObject): string[] {
  const keys: string[] = [];
  if (typeof content['public_key'] === 'string') keys.push(content['public_key']);
  const listed = content['public_keys'];
  for (const entry of Array.isArray(listed) ? listed : []) {
    if (isJsonObject(entry) && typeof entry['public_key'] === 'string')
      keys.push(entry['public_key']);
  }
  return keys;
}

/** Those of the public keys of a m.room.third_party_invite that have signed what redeems it. */
export function keysThatSigned(signed: JsonObject, content: JsonObject): string[] {
  const { signatures } = signed;
  if (!isJsonObject(signatures)) return [];
  const message = signableBytes(signed);
  const given = Object.values(signatures).flatMap((byKey) =>
    isJsonObject(byKey) ? Object.values(byKey) : [],
  );
  const texts = given.filter((signature) => typeof signature === 'string');
  return publicKeysOf(content).filter((key) =>
    texts.some((signature) => verifyBytes(message, signature, key)),
  );
}

/** An invite that redeems an m.room.third_party_invite. */
export function checkThirdPartyInvite({ pdu, state }: RuleContext, target: string): void {
  require(membershipIn(state, target) !== 'ban', `${target} is banned from the room`);
  const invite = pdu.content['third_party_invite'];
  require(isJsonObject(invite), 'third_party_invite must be an object');
  const { signed } = invite;
  require(isJsonObject(signed), 'third_party_invite has nothing signed');
  const { mxid, token } = signed;
  require(typeof mxid === 'string' && typeof token === 'string', 'signed needs mxid and token');
  require(mxid === target, 'the third-party invite is for somebody else');
  const original = state.get('m.room.third_party_invite', token);
  require(original !== undefined, 'there is no such third-party invite');
  require(original.pdu.sender === pdu.sender, 'the third-party invite is of another sender');
  const keys = keysThatSigned(signed, original.pdu.content);
  require(keys.length > 0, 'the third-party invite is not signed by its keys');
}
