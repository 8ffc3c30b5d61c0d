import type { JsonObject } from '../matrix/pdu.ts';
import type { Profiles } from './needs.ts';

/** The content of a member event that a user, or somebody on their behalf, sets. */
export async function memberContent(
  profiles: Profiles,
  userId: string,
  membership: string,
  extra: { reason?: string | undefined } & JsonObject = {},
): Promise<JsonObject> {
  const profile = await profiles.of(userId);
  const content: JsonObject = { ...extra, membership };
  if (extra.reason === undefined) delete content['reason'];
  if (profile.displayname !== undefined) content['displayname'] = profile.displayname;
  if (profile.avatar_url !== undefined) content['avatar_url'] = profile.avatar_url;
  return content;
}
