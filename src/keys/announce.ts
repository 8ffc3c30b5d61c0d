import type { BatchItem } from '../database/database.ts';
import type { Committer } from '../streams/committer.ts';
import type { StreamRow } from '../streams/define-stream.ts';
import type { UserRef } from './key-directory.ts';
import type { AnnouncedRow } from './store/device-lists.ts';
import { deviceListStream, type DeviceListRow } from './streams.ts';

/**
 * Writes with a statement that announces the user's device list, and tells everybody. False: it
 * has changed nothing.
 */
export function writeAnnounced(
  committer: Committer,
  user: UserRef,
  item: BatchItem,
): Promise<boolean> {
  return committer.write<AnnouncedRow, boolean>(item, (rows) => ({
    result: rows.length > 0,
    publish: rows.map(({ pos, roomNids }): StreamRow<DeviceListRow> => {
      const { userNid, userId } = user;
      return { stream: deviceListStream, pos, row: { userNid, userId, roomNids } };
    }),
  }));
}
