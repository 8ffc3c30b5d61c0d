import type { Accounts } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { Questions } from '../federation-client/questions.ts';
import type { Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import {
  createKeys,
  deviceListStream,
  oneTimeKeyStream,
  userSignatureStream,
  type Keys,
} from '../keys/module.ts';
import { createDehydratedDevices } from '../dehydrated-devices/module.ts';
import type { Interned } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import type { Sync, SyncSources, SyncViews } from '../sync/module.ts';
import { createToDevice, toDeviceStream, type ToDevice } from '../to-device/module.ts';

export interface EncryptionNeeds {
  serverName: string;
  database: Database;
  committer: Committer;
  bus: Bus;
  clock: Clock;
  log: Log;
  interned: Interned;
  accounts: Accounts;
  deviceListChanges: Sync['deviceListChanges'];
  federation: FederationClient;
  questions: Questions;
  /** Other servers are told the names of devices. */
  tellsDeviceNames: boolean;
  /** Whether a server may be contacted. */
  mayContact(serverName: string): boolean;
}

export interface Encryption {
  endpoints: Endpoint[];
  /** What is sent to other servers. */
  keys: Keys;
  toDevice: ToDevice;
  sources: Pick<SyncSources, 'toDevice' | 'oneTimeKeys' | 'deviceLists'>;
  /** Wakes those who sync when there is something for them. */
  wakeSyncs(views: SyncViews): void;
  /** Removes what nobody will fetch; to be called every minute or so, works once an hour. */
  tidy(): Promise<void>;
}

const sweepIntervalMs = 60 * 60 * 1000;

/** End-to-end encryption: messages between devices, and keys. */
export function assembleEncryption(needs: EncryptionNeeds): Encryption {
  const { serverName, database, committer, bus, clock, log, interned, accounts } = needs;
  const userNidsOf = (userIds: readonly string[]) => interned.findAll(userIds);
  const toDevice = createToDevice({
    clock,
    database,
    committer,
    bus,
    log,
    serverName,
    userNidsOf,
    mayContact: needs.mayContact,
  });
  const keys = createKeys({
    database,
    committer,
    bus,
    log,
    serverName,
    userNidsOf,
    deviceListChanges: needs.deviceListChanges,
    clock,
    federation: needs.federation,
    questions: needs.questions,
    tellsDeviceNames: needs.tellsDeviceNames,
    accountOf: accounts.services.moderation.localAccount,
    uiAuth: accounts.services.uiAuth,
    reauthFlows: accounts.services.reauthFlows,
  });
  accounts.events.subscribe(toDevice.accountEvents);
  accounts.events.subscribe(keys.accountEvents);
  const dehydrated = createDehydratedDevices({
    database,
    devices: accounts.services.devices,
    uploadKeys: keys.upload,
    waitingMessages: toDevice.waiting,
    position: () => bus.position(),
  });
  accounts.events.subscribe(dehydrated.accountEvents);
  let sweptTs = clock.now();

  return {
    endpoints: [...toDevice.endpoints, ...keys.endpoints, ...dehydrated.endpoints],
    keys,
    toDevice,
    sources: { toDevice, oneTimeKeys: keys.oneTimeKeys, deviceLists: keys },
    wakeSyncs(views) {
      bus.subscribe(toDeviceStream, (rows) => {
        for (const { pos, row } of rows) views.touchDevice(row.userNid, row.deviceNid, pos);
      });
      bus.subscribe(deviceListStream, (rows) => {
        for (const { pos, row } of rows) views.touchDeviceLists(row.userNid, row.roomNids, pos);
      });
      bus.subscribe(userSignatureStream, (rows) => {
        for (const { pos, row } of rows) views.touchDeviceLists(row.userNid, [], pos);
      });
      bus.subscribe(oneTimeKeyStream, (rows) => {
        for (const { row } of rows) {
          for (const { userNid, deviceNid } of row.devices) {
            views.touchDeviceKeys(userNid, deviceNid);
          }
        }
      });
      bus.onMissed(() => views.forgetDeviceKeys());
    },
    async tidy() {
      if (clock.now() - sweptTs < sweepIntervalMs) return;
      sweptTs = clock.now();
      await toDevice.sweep();
      await keys.sweep();
    },
  };
}
