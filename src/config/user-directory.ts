import { flag } from './kinds.ts';
import { group, option, optional, section, type ValuesOf } from './option.ts';

export const userDirectorySection = section('User directory', 'Who finds whom.', {
  user_directory: group(
    {
      enabled: option(flag, true, 'Users can be searched for.'),
      search_all_users: option(
        flag,
        false,
        'Everybody finds everybody. Otherwise users find those with whom they share a room, and ' +
          'those in public rooms.',
      ),
      prefer_local_users: option(flag, false, 'Users of this server come first.'),
      exclude_remote_users: option(flag, false, 'Only users of this server are found.'),
      show_locked_users: option(flag, false, 'Locked users are found too.'),
    },
    'The search for users.',
  ),
  user_directory_search_all_users: optional(
    flag,
    'The old form of `user_directory.search_all_users`.',
  ),
});

/** What the user directory is configured by. */
export function readUserDirectory(values: ValuesOf<typeof userDirectorySection.options>) {
  const { user_directory: directory, user_directory_search_all_users: findsAll } = values;
  return {
    isEnabled: directory.enabled,
    findsAll: findsAll ?? directory.search_all_users,
    prefersLocal: directory.prefer_local_users,
    excludesRemote: directory.exclude_remote_users,
    showsLocked: directory.show_locked_users,
  };
}
