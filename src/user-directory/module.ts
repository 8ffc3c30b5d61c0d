import type { AccountSubscriber } from '../accounts/module.ts';
import { defineRole, type Roles } from '../cluster/role.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import type { UserDirectoryConfig } from './config.ts';
import { searchUserDirectory } from './endpoints/search.ts';
import { createFollower, type Follower } from './follower.ts';
import type { RunningTask } from '../tasks/module.ts';
import { regenerate } from './regenerate.ts';
import { directoryWorkStream } from './streams.ts';

export type { UserDirectoryConfig } from './config.ts';
export type { Follower } from './follower.ts';

type RoleMethods = {
  /** Resolves when everything committed before the call can be found. */
  catchUp(args: Record<string, never>): Promise<void>;
};

/** Keeping the directory up to date. */
export const userDirectoryRole = defineRole<RoleMethods>('user_directory', 1);

export interface UserDirectoryNeeds {
  database: Database;
  bus: Bus;
  log: Log;
  roles: Roles;
  config: UserDirectoryConfig;
  /** Senders of application services. */
  excludedUserIds(): readonly string[];
}

export interface UserDirectory extends Pick<Follower, 'catchUp' | 'stop'> {
  endpoints: Endpoint[];
  /** What happens to accounts: passes on that there is work. */
  accountEvents: AccountSubscriber;
  /** The work of a task: makes the directory anew. */
  regenerate(task: RunningTask): Promise<void>;
}

/**
 * The user directory, kept by whoever holds the role `user_directory`. If two do for a moment, they
 * take turns.
 */
export function createUserDirectory(needs: UserDirectoryNeeds): UserDirectory {
  const { database, bus, config, roles, excludedUserIds } = needs;
  const follower = createFollower(needs);
  roles.serve(userDirectoryRole, {
    methods: { catchUp: () => follower.catchUp() },
    taken: () => follower.start(),
    released: () => follower.stop(),
  });
  const tell = async ({ userNid }: { userNid: number }) => {
    const pos = bus.nextEphemeral();
    bus.publish([{ stream: directoryWorkStream, pos, row: { userNid } }]);
  };
  const found = { database, config, follower, excludedUserIds };
  return {
    endpoints: bindEndpoints([searchUserDirectory], found),
    catchUp: () => follower.catchUp(),
    regenerate: (task) =>
      regenerate(
        { database, catchUp: () => roles.call(userDirectoryRole, '', 'catchUp', {}) },
        task,
      ),
    stop: () => follower.stop(),
    accountEvents: { registered: tell, deactivated: tell, profileChanged: tell },
  };
}
