import type { Log } from '../kernel/log.ts';
import type { Bus } from '../streams/bus.ts';
import { BatchFailed, type CommitKind, type Committer } from '../streams/committer.ts';
import type { StreamRow } from '../streams/define-stream.ts';
import {
  addOneTimeKeys,
  claimKeys,
  lockOneTimeKeys,
  separator,
  setFallbackKeys,
  type AddedRow,
  type ClaimedRow,
  type OneTimeKeyState,
  type OneTimeKeyStore,
} from './store/one-time-keys.ts';
import { oneTimeKeyStream, type OneTimeKeysRow } from './streams.ts';

export interface DeviceRef {
  userNid: number;
  deviceNid: number;
}

/** A one-time or fallback key. */
export interface OneTimeKey {
  algorithm: string;
  keyId: string;
  /** Canonical JSON text without `signatures`. */
  body: string;
  /** JSON text, or null. */
  signatures: string | null;
}

/** What adding keys led to. */
export interface AddOutcome {
  counts: Record<string, number>;
  /** The key id that is taken by another key: nothing was added. */
  takenKeyId: string | null;
}

export interface KeyWanted {
  userNid: number;
  deviceId: string;
  algorithm: string;
}

export interface ClaimedKey {
  keyId: string;
  /** JSON text. */
  key: string;
}

export interface OneTimeKeys {
  add(device: DeviceRef, keys: readonly OneTimeKey[]): Promise<AddOutcome>;
  setFallback(device: DeviceRef, keys: readonly OneTimeKey[]): Promise<void>;
  /** A key for each that is wanted, in the same order; null: there is none. */
  claim(wanted: readonly KeyWanted[]): Promise<(ClaimedKey | null)[]>;
  state(userNid: number, deviceNid: number): Promise<OneTimeKeyState>;
  /** By device, of at most some hundreds; one query. */
  states(devices: readonly DeviceRef[]): Promise<ReadonlyMap<number, OneTimeKeyState>>;
}

/** Unclaimed keys of one device; of more the oldest go. Clients forget theirs after about 100. */
const oneTimeKeysMax = 1_000;

interface Addition {
  device: DeviceRef;
  keys: readonly OneTimeKey[];
}

const keyJson = ({ body, signatures }: Pick<ClaimedRow, 'body' | 'signatures'>) =>
  signatures === null ? body : `${body.slice(0, -1)},"signatures":${signatures}}`;

export function createOneTimeKeys(
  store: OneTimeKeyStore,
  committer: Committer,
  bus: Bus,
  log: Log,
): OneTimeKeys {
  /** The latest addition of a device: a batch takes one of each device. */
  const adding = new Map<number, Promise<unknown>>();

  function announcement(devices: DeviceRef[]): StreamRow<OneTimeKeysRow>[] {
    if (devices.length === 0) return [];
    return [{ stream: oneTimeKeyStream, pos: bus.nextEphemeral(), row: { devices } }];
  }

  const additions: CommitKind<Addition, AddOutcome> = {
    name: 'one_time_keys',
    statements(units) {
      const all = units.flatMap(({ keys }) => keys);
      // Everybody locks in the same order.
      const locks = units.map(({ device }) => device.deviceNid).toSorted((a, b) => a - b);
      const params = [
        units.map(({ device }) => device.userNid),
        units.map(({ device }) => device.deviceNid),
        units.flatMap(({ keys }, i) => keys.map(() => i + 1)),
        all.map((key) => key.algorithm),
        all.map((key) => key.keyId),
        all.map((key) => key.body).join(separator),
        all.map((key) => key.signatures ?? '').join(separator),
      ];
      return [
        { statement: lockOneTimeKeys as never, params: [locks] },
        { statement: addOneTimeKeys as never, params },
      ];
    },
    complete(units, rows) {
      const results = units.map((): AddOutcome => ({ counts: {}, takenKeyId: null }));
      const unitOf = new Map(units.map(({ device }, i) => [device.deviceNid, i]));
      for (const row of rows[1] as AddedRow[]) {
        if (row.unit === null) {
          results[unitOf.get(row.deviceNid)!]!.counts[row.algorithm] = row.count;
        } else {
          results[row.unit - 1]!.takenKeyId = `${row.algorithm}:${row.keyId}`;
        }
      }
      return { results, publish: announcement(units.map(({ device }) => device)) };
    },
  };

  const claims: CommitKind<readonly KeyWanted[], (ClaimedKey | null)[]> = {
    name: 'key_claims',
    statements(units) {
      const all = units.flat();
      const params = [
        all.map((one) => one.userNid),
        all.map((one) => one.deviceId),
        all.map((one) => one.algorithm),
      ];
      return [{ statement: claimKeys as never, params }];
    },
    complete(units, rows) {
      const all = units.flat();
      const claimed = all.map((): ClaimedKey | null => null);
      const devices = new Map<number, DeviceRef>();
      for (const row of rows[0] as ClaimedRow[]) {
        const keyId = `${all[row.nth - 1]!.algorithm}:${row.keyId}`;
        claimed[row.nth - 1] = { keyId, key: keyJson(row) };
        devices.set(row.deviceNid, { userNid: row.userNid, deviceNid: row.deviceNid });
      }
      let from = 0;
      const results = units.map((unit) => claimed.slice(from, (from += unit.length)));
      return { results, publish: announcement([...devices.values()]) };
    },
  };

  async function commit<U, R>(kind: CommitKind<U, R>, unit: U): Promise<R> {
    try {
      return await committer.commit(kind, unit);
    } catch (error) {
      // Another write of the batch may be to blame.
      if (!(error instanceof BatchFailed)) throw error;
      return committer.commit(kind, unit, { alone: true });
    }
  }

  function trimmed(device: DeviceRef, { counts }: AddOutcome): void {
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    if (total <= oneTimeKeysMax) return;
    store
      .trim(device.userNid, device.deviceNid, oneTimeKeysMax)
      .then(() => bus.publish(announcement([device])))
      .catch((error: unknown) => {
        log.warn({ err: error }, 'could not trim the one-time keys of a device');
      });
  }

  return {
    async add(device, keys) {
      const { deviceNid } = device;
      const before = adding.get(deviceNid) ?? Promise.resolve();
      const mine = before.then(() => commit(additions, { device, keys }));
      const settled = mine.catch(() => undefined);
      adding.set(deviceNid, settled);
      try {
        const outcome = await mine;
        trimmed(device, outcome);
        return outcome;
      } finally {
        if (adding.get(deviceNid) === settled) adding.delete(deviceNid);
      }
    },
    async setFallback(device, keys) {
      const params = [
        device.userNid,
        device.deviceNid,
        keys.map((key) => key.algorithm),
        keys.map((key) => key.keyId),
        keys.map((key) => key.body),
        keys.map((key) => key.signatures),
      ];
      await committer.write({ statement: setFallbackKeys as never, params }, (rows) => ({
        result: undefined,
        publish: announcement(rows.length > 0 ? [device] : []),
      }));
    },
    claim: (wanted) => commit(claims, wanted),
    async state(userNid, deviceNid) {
      return (await store.states([{ userNid, deviceNid }])).get(deviceNid)!;
    },
    states: (devices) => store.states(devices),
  };
}
