import { duration, flag, mapping, oneOf } from './kinds.ts';
import type { OptionReader } from './reader.ts';

/** [presence] */
export function readPresence(reader: OptionReader) {
  const fields = reader.take('presence', mapping, {});
  const enabled = reader.member(
    'presence',
    fields,
    'enabled',
    oneOf(true, false, 'untracked'),
    true,
  );
  const time = (name: string, byDefault: number) =>
    reader.member('presence', fields, name, duration, byDefault);
  return {
    isEnabled: enabled !== false,
    isTracked: enabled === true,
    includeOfflineOnInitialSync: reader.member(
      'presence',
      fields,
      'include_offline_users_on_sync',
      flag,
      false,
    ),
    activeMs: time('last_active_granularity', 60_000),
    syncOnlineMs: time('sync_online_timeout', 30_000),
    idleMs: time('idle_timeout', 300_000),
  };
}
