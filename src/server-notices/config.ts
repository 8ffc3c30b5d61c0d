/** What notices are configured by; option names of `server_notices` in brackets. */
export interface ServerNoticesConfig {
  /** [system_mxid_localpart] */
  localpart: string;
  /** [system_mxid_display_name] */
  displayName: string | null;
  /** [system_mxid_avatar_url] */
  avatarUrl: string | null;
  /** [room_name] */
  roomName: string;
  /** [room_avatar_url] */
  roomAvatarUrl: string | null;
  /** [room_topic] */
  roomTopic: string | null;
  /** [auto_join] */
  joinsByItself: boolean;
}
