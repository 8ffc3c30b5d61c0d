import type { Database } from '../database/database.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { AccountsConfig } from './config.ts';
import {
  deleteProfile,
  deleteProfileField,
  selectMemberProfiles,
  selectProfile,
  upsertProfileField,
} from './store/profiles.ts';
import type { AccountEvents, UserRef } from './subscribers.ts';
import { serverNameOf } from './user-ids.ts';

/** Field → value; what is not set is absent. */
export type Profile = Record<string, unknown>;

/** What goes into membership events. */
export interface MemberProfile {
  displayname?: string;
  avatar_url?: string;
}

/**
 * Asks a user's server for the profile, or one field of it. Throws M_NOT_FOUND, M_FORBIDDEN, and
 * M_UNKNOWN (502) when the server gives no answer.
 */
export type RemoteProfile = (userId: string, field: string | null) => Promise<Profile>;

/** Profiles of this server's users, and those of others as their servers tell them. */
export interface Profiles {
  /**
   * Rejects with M_NOT_FOUND when there is no such user, and for users of other servers with what
   * `RemoteProfile` throws.
   */
  get(userId: string): Promise<Profile>;
  /**
   * One field. Rejects with M_NOT_FOUND when the user has no such field; `displayname` and
   * `avatar_url` are absent then. Otherwise as `get`.
   */
  getField(userId: string, field: string): Promise<Profile>;
  /**
   * Sets a field; undefined removes it, as does an empty displayname or avatar_url. Throws
   * M_INVALID_PARAM, M_KEY_TOO_LARGE, M_PROFILE_TOO_LARGE.
   */
  setField(
    user: UserRef,
    field: string,
    value: unknown,
    how: { propagate: boolean },
  ): Promise<void>;
  /** Throws M_FORBIDDEN when the configuration keeps users from changing the field. */
  checkMayChange(field: string): void;
  /** Names and avatars of local users, for membership events; one query. */
  memberProfiles(userNids: readonly number[]): Promise<Map<number, MemberProfile>>;
  remove(user: UserRef): Promise<void>;
}

/** Spec: CS 1.19, "Profiles". */
const profileBytesMax = 64 * 1024;
const fieldNameBytesMax = 255;
/** Names and avatars are copied into every room, hence the tighter limits. */
const displayNameLengthMax = 256;
const avatarUrlLengthMax = 1000;

export interface ProfilesDependencies {
  database: Database;
  config: AccountsConfig;
  events: AccountEvents;
  remoteProfile: RemoteProfile;
  /** Whether somebody else says that there is such a user of this server; it has been made then. */
  isKnownElsewhere(userId: string): Promise<boolean>;
}

export function createProfiles(dependencies: ProfilesDependencies): Profiles {
  const { database, config, events, remoteProfile, isKnownElsewhere } = dependencies;

  async function read(userId: string, field: string | null): Promise<Profile> {
    if (serverNameOf(userId) !== config.serverName) return remoteProfile(userId, field);
    let rows = await database.query(selectProfile, [userId]);
    if (rows.length === 0 && (await isKnownElsewhere(userId))) {
      rows = await database.query(selectProfile, [userId]);
    }
    if (rows.length === 0) throw notFound('Profile was not found');
    const profile: Profile = {};
    for (const row of rows) {
      if (row.field !== null) profile[row.field] = JSON.parse(row.value!);
    }
    return profile;
  }

  async function remove(user: UserRef, field: string, propagate: boolean): Promise<void> {
    const gone = await database.query(deleteProfileField, [user.userNid, field]);
    if (gone.length === 0) return;
    await events.profileChanged(user, [{ field, value: undefined }], { propagate });
  }

  async function setField(
    user: UserRef,
    field: string,
    value: unknown,
    { propagate }: { propagate: boolean },
  ): Promise<void> {
    checkFieldName(field);
    checkValue(field, value);
    if (value === undefined || (isMemberField(field) && (value === '' || value === null))) {
      return remove(user, field, propagate);
    }
    const text = JSON.stringify(value);
    const params = [user.userNid, field, text, profileBytesMax] as const;
    const [stored] = await database.query(upsertProfileField, [...params]);
    if (!stored!.isStored) {
      throw new MatrixError(
        'M_PROFILE_TOO_LARGE',
        `The profile would be larger than ${profileBytesMax} bytes.`,
      );
    }
    if (stored!.before === text) return;
    await events.profileChanged(user, [{ field, value }], { propagate });
  }

  return {
    get: (userId) => read(userId, null),
    async getField(userId, field) {
      checkFieldName(field);
      const profile = await read(userId, field);
      if (Object.hasOwn(profile, field)) return { [field]: profile[field] };
      // A user without a name has a profile all the same.
      if (isMemberField(field)) return {};
      throw notFound(`The profile has no field ${field}`);
    },
    setField,
    checkMayChange(field) {
      const { allowDisplayName, allowAvatarUrl } = config.profiles;
      if (field === 'displayname' && !allowDisplayName) {
        throw new MatrixError('M_FORBIDDEN', 'Changing display name is disabled on this server');
      }
      if (field === 'avatar_url' && !allowAvatarUrl) {
        throw new MatrixError('M_FORBIDDEN', 'Changing avatar is disabled on this server');
      }
    },
    async memberProfiles(userNids) {
      const profiles = new Map<number, MemberProfile>();
      for (const row of await database.query(selectMemberProfiles, [[...userNids]])) {
        const profile = profiles.get(row.userNid) ?? {};
        profile[row.field as keyof MemberProfile] = JSON.parse(row.value) as string;
        profiles.set(row.userNid, profile);
      }
      return profiles;
    },
    async remove(user) {
      const gone = await database.query(deleteProfile, [user.userNid]);
      const changes = gone.map(({ field }) => ({ field, value: undefined }));
      if (changes.length > 0) await events.profileChanged(user, changes, { propagate: false });
    },
  };
}

function isMemberField(field: string): boolean {
  return field === 'displayname' || field === 'avatar_url';
}

function notFound(message: string): MatrixError {
  return new MatrixError('M_NOT_FOUND', message);
}

/** Source: appendices, "Common Namespaced Identifier Grammar". */
function checkFieldName(field: string): void {
  if (Buffer.byteLength(field) > fieldNameBytesMax) {
    throw new MatrixError('M_KEY_TOO_LARGE', 'Field name too long');
  }
  if (!/^[a-z][a-z0-9_.-]*$/.test(field)) {
    throw new MatrixError(
      'M_INVALID_PARAM',
      'Field name does not follow Common Namespaced Identifier Grammar',
    );
  }
}

function checkValue(field: string, value: unknown): void {
  if (!isMemberField(field) || value === undefined || value === null) return;
  if (typeof value !== 'string') {
    throw new MatrixError('M_INVALID_PARAM', `'${field}' must be a string`);
  }
  const max = field === 'displayname' ? displayNameLengthMax : avatarUrlLengthMax;
  if (value.length > max) {
    throw new MatrixError('M_INVALID_PARAM', `${field} is too long (max ${max})`);
  }
}
