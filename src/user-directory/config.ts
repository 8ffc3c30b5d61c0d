/** What the directory needs of the configuration; option names of the file in brackets. */
export interface UserDirectoryConfig {
  /** [user_directory.enabled] False: every search finds nothing. */
  isEnabled: boolean;
  /** [user_directory.search_all_users] Everybody finds everybody. */
  findsAll: boolean;
  /** [user_directory.prefer_local_users] */
  prefersLocal: boolean;
  /** [user_directory.exclude_remote_users] */
  excludesRemote: boolean;
  /** [user_directory.show_locked_users] */
  showsLocked: boolean;
}
