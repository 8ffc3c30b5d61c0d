import type { JsonObject } from '../matrix/pdu.ts';
import type { Profiles } from './needs.ts';

/**
 * The content of a member event that a user, or somebody on their behalf, sets: the profile, unless
 * `extra` has another name or avatar for the room.
 */
export async function memberContent(
  profiles: Profiles,
  userId: string,
  membership: string,
  extra: { reason?: string | undefined } & JsonObject = {},
): Promise<JsonObject> {
  const profile = await profiles.of(userId);
  const content: JsonObject = { ...extra, membership };
  if (extra.reason === undefined) delete content['reason'];
  for (const field of ['displayname', 'avatar_url'] as const) {
    if (profile[field] !== undefined) content[field] ??= profile[field];
  }
  return content;
}
