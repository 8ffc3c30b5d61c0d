/** What push is configured by; option names in brackets. */
export interface PushConfig {
  /** [push.enabled] False: users can have pushers, and nothing is pushed. */
  isEnabled: boolean;
  /** [push.include_content] */
  includesContent: boolean;
  /** [push.group_unread_count_by_room] The badge counts rooms, not messages. */
  countsRooms: boolean;
  /** [push.jitter_delay] Pushes are late by up to this. */
  jitterMs: number;
  /** [experimental_features.msc3881_enabled] Pushers can be switched off (MSC3881). */
  hasSwitches: boolean;
}

/** What mails about missed messages are configured by. */
export interface PushMailConfig {
  /** [email.notif_for_new_users] */
  forNewUsers: boolean;
  /** [email.notif_delay_before_mail] */
  delayMs: number;
  /** [email.client_base_url] */
  clientBaseUrl: string | null;
  appName: string;
  subjects: Readonly<Record<PushSubject, string>>;
}

export type PushSubject =
  | 'message_from_person_in_room'
  | 'message_from_person'
  | 'messages_from_person'
  | 'messages_in_room'
  | 'messages_in_room_and_others'
  | 'messages_from_person_and_others'
  | 'invite_from_person'
  | 'invite_from_person_to_room'
  | 'invite_from_person_to_space';
