import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Bus } from '../streams/bus.ts';
import type { Database } from '../database/database.ts';
import type { MemberProfile } from './profiles.ts';
import { selectMemberProfiles } from './store/profiles.ts';
import { profileStream } from './streams.ts';
import type { AccountEvents, UserRef } from './subscribers.ts';

/** Users whose name and avatar are kept in memory. */
const cachedMax = 50_000;

/** Names and avatars for membership events, remembered until they change. */
export interface MemberProfiles {
  of(user: { userId: string; userNid: number | undefined }): MemberProfile | Promise<MemberProfile>;
}

export function createMemberProfiles(
  database: Database,
  events: AccountEvents,
  bus: Bus,
): MemberProfiles {
  const cache = boundedCache<string, MemberProfile>(cachedMax);
  let changes = 0;
  bus.subscribe(profileStream, (rows) => {
    changes++;
    for (const { row } of rows) cache.delete(row.userId);
  });
  bus.onMissed(() => {
    changes++;
    cache.clear();
  });
  const tell = async ({ userId }: UserRef) => {
    bus.publish([{ stream: profileStream, pos: bus.nextEphemeral(), row: { userId } }]);
    await bus.delivered();
  };
  events.subscribe({ profileChanged: tell, deactivated: tell });

  async function load(userId: string, userNid: number): Promise<MemberProfile> {
    const before = changes;
    const profile: MemberProfile = {};
    for (const { field, value } of await database.query(selectMemberProfiles, [[userNid]])) {
      profile[field as keyof MemberProfile] = JSON.parse(value) as string;
    }
    if (before === changes) cache.set(userId, profile);
    return profile;
  }

  return {
    of({ userId, userNid }) {
      const known = bus.hearsOthers() ? cache.get(userId) : undefined;
      return known ?? (userNid === undefined ? {} : load(userId, userNid));
    },
  };
}
