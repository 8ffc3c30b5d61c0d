import type { DeletedDevice } from './store/devices.ts';

/** A user of this server, as other domains refer to it. */
export interface UserRef {
  userNid: number;
  userId: string;
}

/** A user's session at an identity provider, by which the user has logged in here. */
export interface AuthSession {
  providerId: string;
  sessionId: string;
}

/** A profile field that has a new value; undefined: it was removed. */
export interface ProfileChange {
  field: string;
  value: unknown;
}

/**
 * What other domains do when something happens to an account. Each is awaited before the request
 * that caused it is answered, so it should be short.
 */
export interface AccountSubscriber {
  /** A new account, guests too. */
  registered?(user: UserRef & { isGuest: boolean }): Promise<void>;
  /** The account was deactivated and its devices are gone. Leave its rooms. */
  deactivated?(user: UserRef, how: { erase: boolean }): Promise<void>;
  /** `propagate: false`: the name and avatar in rooms are to stay as they are. */
  profileChanged?(
    user: UserRef,
    changes: readonly ProfileChange[],
    how: { propagate: boolean },
  ): Promise<void>;
  /** A device is to have this id, which is not the server's choice. Throws when it may not. */
  deviceIdWanted?(user: UserRef, deviceId: string): Promise<void>;
  /** The device has a session that began by one at an identity provider. */
  loggedInBy?(user: UserRef, deviceId: string, session: AuthSession): Promise<void>;
  devicesAdded?(user: UserRef, deviceIds: readonly string[]): Promise<void>;
  /** The devices' names have changed. */
  devicesRenamed?(user: UserRef, deviceIds: readonly string[]): Promise<void>;
  /** Logged out or removed: drop their keys, inboxes, pushers. */
  devicesDeleted?(user: UserRef, devices: readonly DeletedDevice[]): Promise<void>;
}

/** Tells every subscriber, in the order in which they came. */
export type AccountEvents = Required<AccountSubscriber> & {
  subscribe(subscriber: AccountSubscriber): void;
};

export function createAccountEvents(): AccountEvents {
  const subscribers: AccountSubscriber[] = [];
  function teller<K extends keyof AccountSubscriber>(key: K): Required<AccountSubscriber>[K] {
    const tell = async (...args: unknown[]) => {
      for (const subscriber of subscribers) {
        const react = subscriber[key] as ((...a: unknown[]) => Promise<void>) | undefined;
        await react?.apply(subscriber, args);
      }
    };
    return tell;
  }
  return {
    subscribe: (subscriber) => void subscribers.push(subscriber),
    registered: teller('registered'),
    deactivated: teller('deactivated'),
    profileChanged: teller('profileChanged'),
    deviceIdWanted: teller('deviceIdWanted'),
    loggedInBy: teller('loggedInBy'),
    devicesAdded: teller('devicesAdded'),
    devicesRenamed: teller('devicesRenamed'),
    devicesDeleted: teller('devicesDeleted'),
  };
}
