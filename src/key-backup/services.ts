import { MatrixError } from '../kernel/errors.ts';
import type { BackupStore } from './store/backups.ts';
import type { BackedUpKey, Change, KeyStore } from './store/keys.ts';

export interface KeyBackupServices {
  backups: BackupStore;
  keys: KeyStore;
}

export const noBackup = () => new MatrixError('M_NOT_FOUND', 'No such backup of room keys');

/** The number of a version. Throws M_NOT_FOUND for what was never given out. */
export function versionOf(text: string): number {
  const version = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0;
  if (version === 0 || !Number.isSafeInteger(version)) throw noBackup();
  return version;
}

/** How clients see what a change has led to. */
export function changeAnswer({ etag, keyCount }: Change): { etag: string; count: number } {
  return { etag: String(etag), count: keyCount };
}

/**
 * Adds keys to the current backup, where they are new or better than those there.
 * Throws M_WRONG_ROOM_KEYS_VERSION when it is not the current one, M_NOT_FOUND.
 */
export async function putKeys(
  { backups, keys }: KeyBackupServices,
  userNid: number,
  version: number,
  added: readonly BackedUpKey[],
): Promise<{ etag: string; count: number }> {
  const change = await keys.put(userNid, version, added);
  if (!change) throw noBackup();
  if (!change.isNewest) {
    const newest = await backups.newest(userNid);
    throw new MatrixError('M_WRONG_ROOM_KEYS_VERSION', 'This is not the current backup', {
      extra: { current_version: String(newest?.version ?? '') },
    });
  }
  return changeAnswer(change);
}
