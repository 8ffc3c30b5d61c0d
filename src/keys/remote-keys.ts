import { createBackOff } from '../federation-client/back-off.ts';
import { FederationError } from '../federation-client/errors.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { Questions } from '../federation-client/questions.ts';
import type { Clock } from '../kernel/clock.ts';
import { isUserId, serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import { askServers, type Failures } from './ask-servers.ts';
import type { KeyDirectory } from './key-directory.ts';
import {
  claimedIn,
  keysOfList,
  listInDevices,
  listInQuery,
  type RemoteList,
} from './remote-answers.ts';
import {
  remoteDevicesMax,
  storeRemoteList,
  type RemoteListState,
  type RemoteListStore,
} from './store/remote-lists.ts';
import type { UserKeys } from './user-keys.ts';

/** A user of another server. */
export interface RemoteUserKeys {
  userId: string;
  /** Null: not known here. */
  userNid: number | null;
  keys: UserKeys;
}

/** Keys of other servers' users. */
export interface RemoteKeys {
  /**
   * The devices and keys of users: what is stored of those whose changes are known, the others' from
   * their servers. The devices that are asked for by user; none: all.
   */
  query(
    devices: Readonly<Record<string, readonly string[]>>,
    timeoutMs: number,
  ): Promise<{ users: RemoteUserKeys[]; failures: Failures }>;
  /** Claims one-time keys: user id → device id → algorithm; gives user id → device id → key id → key. */
  claim(
    wanted: Readonly<Record<string, Record<string, string>>>,
    timeoutMs: number,
  ): Promise<{ keys: Record<string, JsonObject>; failures: Failures }>;
}

export interface RemoteKeysNeeds {
  federation: Pick<FederationClient, 'request'>;
  questions: Pick<Questions, 'ask'>;
  store: RemoteListStore;
  directory: KeyDirectory;
  committer: Committer;
  bus: Bus;
  clock: Clock;
}

/** Of one server, users who are asked for one by one; more are asked for together. */
const askedSinglyMax = 10;
/** Most bytes of an answer. */
const answerBytesMax = 8 * 1024 * 1024;
/** Somebody waits, and tries again rather than wait for long. */
const claimBackOff = { minMs: 5_000, factor: 2, maxMs: 5 * 60_000 };

interface Wanted {
  userId: string;
  /** None: all. */
  deviceIds: readonly string[];
  state: RemoteListState | undefined;
}

const isUnknown = (error: unknown) =>
  error instanceof FederationError && error.answer?.status === 404;

export function createRemoteKeys(needs: RemoteKeysNeeds): RemoteKeys {
  const { federation, questions, store, directory, committer, bus, clock } = needs;
  const backOff = createBackOff(claimBackOff, clock);
  /** Users who are being asked for, so that an answer is stored once. */
  const asking = new Map<string, Promise<RemoteList | null>>();

  /** Keeps a list from which on changes are followed. `sincePos`: from before it was asked for. */
  async function follow(list: RemoteList, { userNid, version }: RemoteListState, sincePos: number) {
    const { devices, crossSigning } = list;
    if (devices.length > remoteDevicesMax) return;
    const params = [
      userNid,
      list.streamId,
      sincePos,
      version,
      devices.map(({ deviceId }) => deviceId),
      devices.map(({ keys }) => keys),
      devices.map(({ displayName }) => displayName),
      crossSigning.map(({ usage }) => usage),
      crossSigning.map(({ publicKey }) => publicKey),
      crossSigning.map(({ json }) => json),
    ];
    await committer.write({ statement: storeRemoteList as never, params }, () => ({
      result: undefined,
      publish: [],
    }));
    directory.forget([userNid]);
  }

  /** All devices of a user, with the place in the stream of their changes. */
  async function askForDevices({ userId, state }: Wanted): Promise<RemoteList | null> {
    const sincePos = bus.position();
    const uri = `/_matrix/federation/v1/user/devices/${encodeURIComponent(userId)}`;
    let answer: JsonObject;
    try {
      const question = { uri, keptMs: 0, bytesMax: answerBytesMax };
      answer = await questions.ask(serverNameOf(userId), question);
    } catch (error) {
      // The server knows no such user.
      if (isUnknown(error)) return null;
      throw error;
    }
    const list = listInDevices(userId, answer);
    if (!list) throw new FederationError('bad_answer', serverNameOf(userId), 'it has no devices');
    await follow(list, state!, sincePos);
    return list;
  }

  function devicesOf(wanted: Wanted): Promise<RemoteList | null> {
    const known = asking.get(wanted.userId);
    if (known) return known;
    const list = askForDevices(wanted).finally(() => asking.delete(wanted.userId));
    asking.set(wanted.userId, list);
    return list;
  }

  /**
   * Many users at once. The answer has no places in streams: the next change of a user makes the list
   * stale, which then is asked for singly.
   */
  async function askTogether(
    serverName: string,
    users: readonly Wanted[],
    take: (wanted: Wanted, list: RemoteList | null) => void,
  ): Promise<void> {
    const sincePos = bus.position();
    const deviceKeys: Record<string, string[]> = {};
    for (const { userId, deviceIds, state } of users) {
      deviceKeys[userId] = state?.isShared ? [] : [...deviceIds];
    }
    const answer = await questions.ask(serverName, {
      uri: '/_matrix/federation/v1/user/keys/query',
      content: { device_keys: deviceKeys },
      keptMs: 0,
      bytesMax: answerBytesMax,
    });
    const followed: Promise<void>[] = [];
    for (const wanted of users) {
      const list = listInQuery(wanted.userId, answer);
      take(wanted, list);
      if (list && wanted.state?.isShared) followed.push(follow(list, wanted.state, sincePos));
    }
    await Promise.all(followed);
  }

  async function askServer(
    serverName: string,
    users: readonly Wanted[],
    take: (wanted: Wanted, list: RemoteList | null) => void,
  ): Promise<void> {
    const shared = users.filter(({ state }) => state?.isShared);
    const singly = shared.length > askedSinglyMax ? [] : shared;
    const together = users.filter((wanted) => !singly.includes(wanted));
    await Promise.all([
      ...singly.map(async (wanted) => take(wanted, await devicesOf(wanted))),
      together.length > 0 ? askTogether(serverName, together, take) : null,
    ]);
  }

  return {
    async query(devices, timeoutMs) {
      const userIds = Object.keys(devices).filter(isUserId);
      const states = new Map(
        (await store.states(userIds)).map((state) => [state.userId, state] as const),
      );
      const current = [...states.values()].filter(({ isCurrent }) => isCurrent);
      const wanted = userIds
        .filter((userId) => !states.get(userId)?.isCurrent)
        .map((userId) => ({ userId, deviceIds: devices[userId]!, state: states.get(userId) }));
      const users: RemoteUserKeys[] = [];
      const take = ({ userId, state }: Wanted, list: RemoteList | null) => {
        if (list)
          users.push({ userId, userNid: state?.userNid ?? null, keys: keysOfList(userId, list) });
      };
      const byServer = Map.groupBy(wanted, ({ userId }) => serverNameOf(userId));
      const [stored, failures] = await Promise.all([
        directory.of(current),
        askServers(byServer, timeoutMs, (name, some) => askServer(name, some, take)),
      ]);
      for (const { userId, userNid } of current) {
        users.push({ userId, userNid, keys: stored.get(userNid)! });
      }
      return { users: [...users], failures };
    },
    async claim(wanted, timeoutMs) {
      const userIds = Object.keys(wanted).filter(isUserId);
      const keys: Record<string, JsonObject> = {};
      const byServer = Map.groupBy(userIds, serverNameOf);
      const failures = await askServers(byServer, timeoutMs, async (serverName, some, leftMs) => {
        const oneTimeKeys = Object.fromEntries(some.map((userId) => [userId, wanted[userId]!]));
        const answer = await federation.request(serverName, {
          method: 'POST',
          uri: '/_matrix/federation/v1/user/keys/claim',
          content: { one_time_keys: oneTimeKeys },
          timeoutMs: leftMs,
          bytesMax: answerBytesMax,
          backOff,
        });
        for (const userId of some) {
          const claimed = claimedIn(answer, userId, wanted[userId]!);
          if (Object.keys(claimed).length > 0) keys[userId] = claimed;
        }
      });
      return { keys: { ...keys }, failures };
    },
  };
}
