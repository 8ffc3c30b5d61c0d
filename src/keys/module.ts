import type { Static } from 'typebox';
import type { AccountSubscriber } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { Questions } from '../federation-client/questions.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import { writeAnnounced } from './announce.ts';
import { allowReplacement } from './endpoints/allow-replacement.ts';
import { claimKeys } from './endpoints/claim-keys.ts';
import { forServersEndpoints } from './endpoints/for-servers.ts';
import { getKeysChanges } from './endpoints/get-key-changes.ts';
import { queryKeys } from './endpoints/query-keys.ts';
import { uploadCrossSigningKeys } from './endpoints/upload-cross-signing-keys.ts';
import { uploadEndpoints } from './endpoints/upload-keys.ts';
import { uploadSignatures } from './endpoints/upload-signatures.ts';
import { createDeviceUpdates, type DeviceUpdates } from './device-updates.ts';
import { createKeyDirectory, type KeyDirectory, type UserRef } from './key-directory.ts';
import { createOneTimeKeys, type OneTimeKeys } from './one-time-keys.ts';
import { createRecentChanges } from './recent-changes.ts';
import { createRemoteKeys } from './remote-keys.ts';
import { createRemoteLists, type RemoteLists } from './remote-lists.ts';
import type { KeysServices } from './services.ts';
import { createDeviceChangeStore } from './store/device-changes.ts';
import {
  announceDevices,
  announceNewest,
  createDeviceListStore,
  deleteDevicesKeys,
} from './store/device-lists.ts';
import { createKeyStore } from './store/keys-of-users.ts';
import { createOneTimeKeyStore } from './store/one-time-keys.ts';
import { createReplacementStore } from './store/replacements.ts';
import { createRemoteListStore } from './store/remote-lists.ts';
import { deviceListStream, userSignatureStream } from './streams.ts';
import { uploadKeysFor, type uploadBody, type UploadingDevice } from './upload.ts';

export { deviceListStream, oneTimeKeyStream, userSignatureStream } from './streams.ts';
export type { DeviceListRow, OneTimeKeysRow, UserSignatureRow } from './streams.ts';
export type { OneTimeKeyState } from './store/one-time-keys.ts';
export type { ChangeRef, DeviceUpdates } from './device-updates.ts';
export type { KeyDirectory } from './key-directory.ts';
export type { OneTimeKeys } from './one-time-keys.ts';
export type { CrossSigningKey, UserKeys } from './user-keys.ts';
export type { RemoteLists } from './remote-lists.ts';
export type { DeviceListChanges } from './services.ts';

export { uploadBody, type UploadingDevice } from './upload.ts';

type OwnServices =
  | 'directory'
  | 'oneTimeKeys'
  | 'hasDevice'
  | 'remoteKeys'
  | 'streamIdOf'
  | 'replacements';

export interface KeysNeeds extends Omit<KeysServices, OwnServices> {
  database: Database;
  bus: Bus;
  clock: Clock;
  federation: Pick<FederationClient, 'request'>;
  questions: Pick<Questions, 'ask'>;
  log: Log;
}

export interface Keys {
  endpoints: Endpoint[];
  directory: KeyDirectory;
  /** For other servers. */
  updates: DeviceUpdates;
  oneTimeKeys: OneTimeKeys;
  /** What other servers tell of their users. */
  remoteLists: RemoteLists;
  /** What `/keys/upload` does, for a device without a session. */
  upload(device: UploadingDevice, keys: Static<typeof uploadBody>): Promise<unknown>;
  /**
   * Users whose devices or keys look different to the reader since a position, of those who share
   * a room with the reader, the reader included. Lately changed ones from memory.
   */
  changed(
    reader: { userNid: number; isInRoom(roomNid: number): boolean },
    afterPos: number,
    uptoPos: number,
  ): string[] | Promise<string[]>;
  accountEvents: AccountSubscriber;
  /** Tells the servers in all rooms of a user of its devices, as if one of them had changed. */
  announce(user: UserRef): Promise<void>;
  /** Removes keys of devices that are no more, and of users with whom no room is shared any more. */
  sweep(): Promise<void>;
}

/** Users of other servers whose keys are removed by one statement. */
const unsharedUsersMax = 1_000;
/** Users whose lost devices are removed by one sweep. */
const sweptUsersMax = 1_000;

/** Keys for end-to-end encryption, and who has new ones. */
export function createKeys(needs: KeysNeeds): Keys {
  const { database, committer, bus, log } = needs;
  const store = createDeviceListStore(database);
  const recent = createRecentChanges(bus);
  const keyStore = createKeyStore(database);
  const directory = createKeyDirectory(keyStore, bus);
  const oneTimeKeys = createOneTimeKeys(createOneTimeKeyStore(database), committer, bus, log);

  bus.recoverWith(deviceListStream, async (afterPos, uptoPos) => {
    const rows = await store.stream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });
  bus.recoverWith(userSignatureStream, async (afterPos, uptoPos) => {
    const rows = await store.signatureStream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });

  const remove = (user: UserRef, deviceNids: number[], deviceIds: string[]) =>
    writeAnnounced(committer, user, {
      statement: deleteDevicesKeys as never,
      params: [user.userNid, deviceNids, deviceIds],
    });

  const remoteStore = createRemoteListStore(database);
  const updates = createDeviceUpdates(createDeviceChangeStore(database), directory, needs);
  const services: KeysServices = {
    ...needs,
    directory,
    oneTimeKeys,
    hasDevice: keyStore.hasDevice,
    replacements: createReplacementStore(database),
    streamIdOf: updates.streamId,
    remoteKeys: createRemoteKeys({ ...needs, store: remoteStore, directory }),
  };
  const declared = [
    ...uploadEndpoints,
    queryKeys,
    claimKeys,
    getKeysChanges,
    uploadCrossSigningKeys,
    allowReplacement,
    uploadSignatures,
    ...forServersEndpoints,
  ];
  return {
    endpoints: bindEndpoints(declared, services),
    directory,
    updates,
    oneTimeKeys,
    remoteLists: createRemoteLists({ ...needs, directory }),
    upload: (device, given) => uploadKeysFor(device, given, services),
    changed: (reader, afterPos, uptoPos) =>
      recent.after(reader, afterPos, uptoPos) ?? store.changed(reader.userNid, afterPos, uptoPos),
    accountEvents: {
      async deviceIdWanted(user, deviceId) {
        const { crossSigning } = (await directory.of([user])).get(user.userNid)!;
        if (Object.values(crossSigning).every(({ publicKey }) => publicKey !== deviceId)) return;
        throw new MatrixError('M_FORBIDDEN', 'The device id is that of a cross-signing key');
      },
      async devicesRenamed(user, deviceIds) {
        const params = [user.userNid, [...deviceIds]];
        await writeAnnounced(committer, user, { statement: announceDevices as never, params });
      },
      async devicesDeleted(user, devices) {
        const nids = devices.map(({ deviceNid }) => deviceNid);
        await remove(
          user,
          nids,
          devices.map(({ deviceId }) => deviceId),
        );
      },
    },
    async announce(user) {
      const item = { statement: announceNewest as never, params: [user.userNid] };
      await writeAnnounced(committer, user, item);
    },
    async sweep() {
      const lost = await store.orphans(sweptUsersMax);
      await Promise.all(lost.map((user) => remove(user, user.deviceNids, [])));
      directory.forget(await remoteStore.deleteUnshared(unsharedUsersMax));
    },
  };
}
