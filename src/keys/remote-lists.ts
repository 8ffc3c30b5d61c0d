import type { JsonObject } from '../matrix/pdu.ts';
import type { Committer } from '../streams/committer.ts';
import { writeAnnounced } from './announce.ts';
import type { KeyDirectory } from './key-directory.ts';
import { isDeviceId, remoteCrossSigning, remoteDevice } from './remote-answers.ts';
import { changeRemoteDevice, changeRemoteKeys } from './store/remote-lists.ts';

/** What other servers tell of their users' devices and keys. Malformed things are passed over. */
export interface RemoteLists {
  /**
   * Takes in the content of an `m.device_list_update` for a user of the server that has sent it. Those
   * who share a room are told. A change that does not follow the last one known makes the list stale:
   * it is fetched when somebody asks for it.
   */
  changeDevice(userId: string, content: JsonObject): Promise<void>;
  /** The same for `m.signing_key_update`. */
  changeKeys(userId: string, content: JsonObject): Promise<void>;
}

export interface RemoteListsNeeds {
  committer: Committer;
  directory: KeyDirectory;
  userNidsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** Changes that one may follow. */
const previousMax = 100;

/** Null: it is none. Some servers send numbers as texts. */
function streamIdIn(value: unknown): number | null {
  const id = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(id) && (id as number) >= 0 ? (id as number) : null;
}

/** Null: it is no list of ids. */
function previousIn(value: unknown): number[] | null {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > previousMax) return null;
  const ids = value.map(streamIdIn);
  return ids.includes(null) ? null : (ids as number[]);
}

export function createRemoteLists(needs: RemoteListsNeeds): RemoteLists {
  const { committer, directory, userNidsOf } = needs;

  async function userOf(userId: string) {
    const userNid = (await userNidsOf([userId])).get(userId);
    return userNid === undefined ? null : { userId, userNid };
  }

  return {
    async changeDevice(userId, content) {
      const { device_id: deviceId, stream_id: stream, keys, device_display_name: name } = content;
      const streamId = streamIdIn(stream);
      const previous = previousIn(content['prev_id']);
      if (!isDeviceId(deviceId) || streamId === null || previous === null) return;
      const isGone = content['deleted'] === true || keys === undefined || keys === null;
      const device = isGone ? null : remoteDevice(userId, deviceId, keys, name);
      const user = await userOf(userId);
      if (!user || (!isGone && !device)) return;
      const params = [
        user.userNid,
        deviceId,
        device?.keys ?? null,
        device?.displayName ?? null,
        streamId,
        previous,
        isGone && content['deleted'] !== true,
      ];
      const item = { statement: changeRemoteDevice as never, params };
      await writeAnnounced(committer, user, item);
    },
    async changeKeys(userId, content) {
      const user = await userOf(userId);
      if (!user) return;
      const known = (await directory.of([user])).get(user.userNid)!;
      const { master_key: master, self_signing_key: selfSigning } = content;
      const keys = remoteCrossSigning(userId, { master, self_signing: selfSigning }, known);
      if (keys.length === 0) return;
      const params = [
        user.userNid,
        keys.map(({ usage }) => usage),
        keys.map(({ publicKey }) => publicKey),
        keys.map(({ json }) => json),
      ];
      await writeAnnounced(committer, user, { statement: changeRemoteKeys as never, params });
    },
  };
}
