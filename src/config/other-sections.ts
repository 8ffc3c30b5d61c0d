import { flag, list, text } from './kinds.ts';
import { inert, option, section } from './option.ts';

export const appservicesSection = section('Application services', 'Bridges and bots.', {
  app_service_config_files: option(
    list(text),
    [],
    'Registration files of application services. They are read again when one of them, or this ' +
      'list, has changed, and by `SIGHUP`.',
    { example: '[/etc/lattice/irc-bridge.yaml]' },
  ),
  track_appservice_user_ips: option(
    flag,
    false,
    'The addresses from which application services act for their users are recorded as well.',
  ),
  use_appservice_legacy_authorization: option(
    flag,
    false,
    'Application services are sent their `hs_token` in the query as well, for old ones.',
  ),
  ...inert({
    track_puppeted_user_ips: 'addresses of users whom bridges act for',
  }),
});

export const blockingSection = section('Blocking', 'Who may use the server at all.', {
  ...inert({
    hs_disabled: 'refuse every request',
    hs_disabled_message: 'the text of that refusal',
    limit_usage_by_mau: 'limit monthly active users',
    max_mau_value: 'how many',
    mau_trial_days: 'days before a user counts',
    mau_appservice_trial_days: 'the same by application service',
    mau_limit_alerting: 'tell when the limit is reached',
    mau_stats_only: 'count only',
    mau_limit_reserved_threepids: 'people who always get in',
  }),
});
