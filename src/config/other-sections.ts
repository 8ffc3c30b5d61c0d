import { list, text } from './kinds.ts';
import { inert, option, section } from './option.ts';

export const appservicesSection = section('Application services', 'Bridges and bots.', {
  app_service_config_files: option(
    list(text),
    [],
    'Registration files of application services, read at the start.',
    { example: '[/etc/lattice/irc-bridge.yaml]' },
  ),
  ...inert({
    track_appservice_user_ips: 'addresses of bridges’ users',
    track_puppeted_user_ips: 'addresses of users whom bridges act for',
    use_appservice_legacy_authorization: 'the token in the query as well',
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
