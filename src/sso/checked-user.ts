import type { RemoteUser } from './identity-provider.ts';
import { SsoError } from './sso-error.ts';

const idLengthMax = 1024;
/** Longer display names are cut off: users cannot have them. */
const displayNameLengthMax = 256;
const addressLengthMax = 254;

/** Whether a text can be an id that is stored. */
export const isStorable = (text: string) =>
  text !== '' && text.length <= idLengthMax && !text.includes('\0') && text.isWellFormed();

const isAddress = (text: string) =>
  text.length <= addressLengthMax && isStorable(text) && /^[^@\s]+@[^@\s]+$/.test(text);

/**
 * What a provider says of a user, with what cannot be used left out. Throws SsoError when it does not
 * say who it is.
 */
export function checkedUser(user: RemoteUser): RemoteUser {
  if (!isStorable(user.externalId)) {
    throw new SsoError('mapping_error', 'The identity provider does not say who you are');
  }
  const { displayName, emails } = user.attributes;
  const { sessionId } = user;
  return {
    ...user,
    sessionId: sessionId !== null && isStorable(sessionId) ? sessionId : null,
    attributes: {
      ...user.attributes,
      displayName: displayName?.slice(0, displayNameLengthMax).toWellFormed() ?? null,
      emails: emails.filter(isAddress),
    },
  };
}
