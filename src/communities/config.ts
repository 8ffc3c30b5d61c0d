/** What communities are configured by; option names of the file in brackets. */
export interface CommunitiesConfig {
  serverName: string;
  /** [enable_group_creation] Others than admins may make communities. */
  usersCreate: boolean;
  /** [group_creation_prefix] What the names of theirs begin with. */
  prefix: string;
}
