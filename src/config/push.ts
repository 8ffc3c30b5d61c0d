import { duration, flag } from './kinds.ts';
import { group, option, section, type ValuesOf } from './option.ts';

export const pushSection = section('Push', 'Notifications.', {
  push: group(
    {
      enabled: option(flag, true, 'Users are told of events by push gateways.'),
      include_content: option(
        flag,
        true,
        'Pushes have the content of the event, unless the client has chosen `event_id_only`.',
      ),
      group_unread_count_by_room: option(
        flag,
        true,
        'The count on the app’s icon is that of rooms with unread messages, not of the messages.',
      ),
      jitter_delay: option(
        duration,
        0,
        'Pushes come up to this much later, so that nobody can tell by their time who talks to whom.',
      ),
    },
    'Notifications by push gateways.',
  ),
});

/** What push is configured by. */
export const readPush = ({ push }: ValuesOf<typeof pushSection.options>) => ({
  isEnabled: push.enabled,
  includesContent: push.include_content,
  countsRooms: push.group_unread_count_by_room,
  jitterMs: push.jitter_delay,
});
