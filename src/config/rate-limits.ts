import { count, positive } from './kinds.ts';
import {
  group,
  mappingOf,
  option,
  optional,
  section,
  type Option,
  type ValuesOf,
} from './option.ts';

/** Uses a second and how many at once. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/** A rate so high that it cannot matter is no limit at all, and costs nothing. */
export const unlimitedPerSecond = 1_000_000;

type GivenRate = Readonly<{ per_second: number; burst_count: number }>;

const membersOf = (perSecond: number, burst: number) => ({
  per_second: option(positive, perSecond, 'Uses a second in the long run.'),
  burst_count: option(positive, burst, 'Uses at once.'),
});

function rate(perSecond: number, burst: number, doc: string): Option<GivenRate> {
  return option(
    mappingOf(membersOf(perSecond, burst)),
    { per_second: perSecond, burst_count: burst },
    doc,
    {
      defaultText: `\`{per_second: ${perSecond}, burst_count: ${burst}}\``,
    },
  );
}

export const rateLimitsSection = section(
  'Rate limits',
  'Each is `{per_second, burst_count}`: so many at once, so many a second in the long run. ' +
    `A \`per_second\` of ${unlimitedPerSecond} or more switches a limit off.`,
  {
    rc_message: rate(0.2, 10, 'Sending events, by user.'),
    rc_registration: rate(0.17, 3, 'Registrations, by address.'),
    rc_registration_token_validity: rate(0.1, 5, 'Questions whether a token is valid, by address.'),
    rc_login: group(
      {
        address: rate(0.003, 5, 'By address.'),
        account: rate(0.003, 5, 'By account.'),
        failed_attempts: rate(0.17, 3, 'Wrong passwords, by account.'),
      },
      'Log-ins.',
    ),
    rc_joins: group(
      {
        local: rate(0.1, 10, 'By user.'),
        remote: rate(0.01, 10, 'Rooms that are joined by way of another server, by user.'),
      },
      'Joins.',
    ),
    rc_invites: group(
      {
        per_issuer: rate(0.3, 10, 'By who invites.'),
        per_room: rate(0.3, 10, 'By room.'),
        per_user: rate(0.003, 5, 'By who is invited.'),
      },
      'Invites.',
    ),
    rc_joins_per_room: rate(1, 10, 'Joins, by room.'),
    rc_admin_redaction: optional(
      mappingOf(membersOf(1, 10)),
      "Redactions of others' events, by user; without it they count as `rc_message`.",
    ),
    rc_presence: group(
      { per_user: rate(0.1, 1, 'By user.') },
      'Changes of presence by `set_presence` of syncs. What is over the limit is left out.',
    ),
    rc_room_creation: rate(0.016, 10, 'New rooms, by user.'),
    rc_3pid_validation: rate(0.003, 5, 'Mails to validate an address, by address and by who asks.'),
    rc_third_party_invite: rate(0.2, 10, 'Invites by mail address or phone number, by user.'),
    rc_user_directory: rate(0.016, 200, 'Searches in the user directory, by user.'),
    rc_reports: rate(1, 5, 'Reports of events, rooms and users, by user.'),
    rc_delayed_event_mgmt: rate(
      1,
      5,
      'Cancelling, restarting and sending delayed events, by address.',
    ),
    rc_media_create: rate(10, 50, 'New media ids for later uploads, by user.'),
    rc_federation: group(
      {
        window_size: option(positive, 1000, 'Milliseconds over which requests are counted.'),
        sleep_limit: option(count, 10, 'Requests in a window beyond which each is held back.'),
        sleep_delay: option(count, 500, 'Milliseconds for which it is.'),
        reject_limit: option(
          count,
          50,
          'While more than so many are held back or wait, further ones are refused.',
        ),
        concurrent: option(positive, 3, 'Requests that are answered at once; others wait.'),
      },
      'Requests of each other server, but for the transactions that it sends; of a worker set, in ' +
        `each process. A \`sleep_limit\` of ${unlimitedPerSecond} or more holds none back.`,
    ),
  },
);

const rateOf = (given: GivenRate): Rate | null =>
  given.per_second >= unlimitedPerSecond
    ? null
    : { perSecond: given.per_second, burst: given.burst_count };

type RateLimitValues = ValuesOf<typeof rateLimitsSection.options>;

/** By rate-limit class of endpoints; null: no limit. */
export function readRateLimits(values: RateLimitValues) {
  return {
    message: rateOf(values.rc_message),
    registration: rateOf(values.rc_registration),
    registration_token_validity: rateOf(values.rc_registration_token_validity),
    login: rateOf(values.rc_login.address),
    login_account: rateOf(values.rc_login.account),
    login_failed: rateOf(values.rc_login.failed_attempts),
    join: rateOf(values.rc_joins.local),
    join_remote: rateOf(values.rc_joins.remote),
    invite: rateOf(values.rc_invites.per_issuer),
    invite_room: rateOf(values.rc_invites.per_room),
    invite_user: rateOf(values.rc_invites.per_user),
    join_room: rateOf(values.rc_joins_per_room),
    admin_redaction: values.rc_admin_redaction ? rateOf(values.rc_admin_redaction) : undefined,
    presence: rateOf(values.rc_presence.per_user),
    room_creation: rateOf(values.rc_room_creation),
    reports: rateOf(values.rc_reports),
    threepid_validation: rateOf(values.rc_3pid_validation),
    third_party_invite: rateOf(values.rc_third_party_invite),
    delayed_event: rateOf(values.rc_delayed_event_mgmt),
    media_create: rateOf(values.rc_media_create),
    user_directory: rateOf(values.rc_user_directory),
  };
}

/** What holds other servers back. */
export function readServerLimits({ rc_federation: given }: RateLimitValues) {
  return {
    windowMs: given.window_size,
    sleepLimit: given.sleep_limit >= unlimitedPerSecond ? null : given.sleep_limit,
    sleepMs: given.sleep_delay,
    rejectLimit: given.reject_limit,
    concurrent: given.concurrent,
  };
}
