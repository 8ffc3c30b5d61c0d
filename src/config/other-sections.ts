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

export const federationSection = section('Federation', 'Other servers.', {
  ...inert({
    federation: 'time-outs and retries',
    federation_verify_certificates: 'check other servers’ certificates',
    federation_client_minimum_tls_version: 'lowest version of TLS',
    federation_certificate_verification_whitelist: 'servers whose certificates are not checked',
    federation_ip_range_blacklist: 'servers’ addresses that are never contacted',
    federation_custom_ca_list: 'private authorities',
    federation_domain_whitelist: 'only these servers',
    federation_whitelist_endpoint_enabled: 'clients may read that list',
    federation_metrics_domains: 'servers with metrics of their own',
    federation_rr_transactions_per_room_per_second: 'pace of read receipts',
    allow_device_name_lookup_over_federation: 'other servers may read names of devices',
    trusted_key_servers: 'notaries to ask for keys',
    suppress_key_server_warning: 'a warning about notaries',
    key_server_signing_keys_path: 'a key of its own for the work as a notary',
    old_signing_keys: 'keys no longer used',
    key_refresh_interval: 'how long published keys are valid',
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
