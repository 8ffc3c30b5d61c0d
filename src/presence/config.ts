/** What presence needs of the configuration; option names of the file in brackets. */
export interface PresenceConfig {
  /** [presence.enabled] false: everybody is offline, and what clients set is ignored. */
  isEnabled: boolean;
  /** [presence.enabled: untracked] False: only what others' servers say is known. */
  isTracked: boolean;
  /** [presence.include_offline_users_on_sync] */
  includeOfflineOnInitialSync: boolean;
  /** [presence.last_active_granularity] How long after doing something a user is active. */
  activeMs: number;
  /** [presence.sync_online_timeout] How long a device is online after its last sync. */
  syncOnlineMs: number;
  /** [presence.idle_timeout] How long after doing something a user becomes unavailable. */
  idleMs: number;
}

export const defaultPresenceConfig: PresenceConfig = {
  isEnabled: true,
  isTracked: true,
  includeOfflineOnInitialSync: false,
  activeMs: 60_000,
  syncOnlineMs: 30_000,
  idleMs: 5 * 60_000,
};
