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

export const mediaSection = section('Media', 'Files and previews.', {
  ...inert({
    enable_authenticated_media: 'media need an account',
    enable_local_media_storage: 'media are kept on the disk',
    media_store_path: 'the folder of media',
    max_pending_media_uploads: 'uploads begun by one user',
    unused_expiration_time: 'life of a media id that nothing was uploaded to',
    media_storage_providers: 'other places for media',
    max_upload_size: 'largest upload',
    media_upload_limits: 'how much a user may upload in a time',
    max_image_pixels: 'largest image that gets thumbnails',
    remote_media_download_burst_count: 'how much is fetched from other servers at once',
    remote_media_download_per_second: 'how much is fetched from other servers',
    prevent_media_downloads_from: 'servers whose media are not fetched',
    dynamic_thumbnails: 'thumbnails of any size',
    thumbnail_sizes: 'sizes of thumbnails',
    media_retention: 'how long media are kept',
    url_preview_enabled: 'previews of links',
    url_preview_ip_range_blacklist: 'addresses that are never fetched for previews',
    url_preview_ip_range_whitelist: 'exceptions to that',
    url_preview_url_blacklist: 'patterns of URLs that are not fetched',
    max_spider_size: 'most bytes read for a preview',
    url_preview_accept_language: 'languages to ask for',
    oembed: 'providers of embedded content',
  }),
});

export const pushSection = section('Push', 'Notifications.', {
  ...inert({
    push: 'notifications by push gateways',
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
