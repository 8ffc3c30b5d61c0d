import { toldToClient, type Questions } from '../federation-client/questions.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { Profile, RemoteProfile } from './profiles.ts';

/** Short: people see what they have changed. */
const keptMs = 30_000;
/** Profiles have at most 64 KiB (client-server spec, "Profiles"). */
const bytesMax = 128 * 1024;

/** Fields that clients take for text. */
const textFields = new Set(['displayname', 'avatar_url']);

const isShown = ([field, value]: [string, unknown]) =>
  value !== null && (typeof value === 'string' || !textFields.has(field));

/** Asks users' servers for their profiles (server-server spec, queryProfile). */
export function createRemoteProfiles(questions: Questions): RemoteProfile {
  return async (userId, field): Promise<Profile> => {
    const query = new URLSearchParams({ user_id: userId });
    if (field !== null) query.set('field', field);
    const uri = `/_matrix/federation/v1/query/profile?${query.toString()}`;
    try {
      const answer = await questions.ask(serverNameOf(userId), { uri, keptMs, bytesMax });
      return Object.fromEntries(Object.entries(answer).filter(isShown));
    } catch (error) {
      throw toldToClient(error, 'The profile', [403, 404]);
    }
  };
}
