import type { StreamPosition } from '../streams/position.ts';
import type { OneTimeKeyState, SyncSources } from './sources.ts';
import { DeviceView } from './views/device-view.ts';
import type { UserView } from './views/user-view.ts';

/** Messages to a device in one answer (client-server spec, "Send-to-Device messaging"). */
export const messagesMax = 100;

/** What is new for one device, apart from its user. */
export interface DeviceNews {
  /** JSON texts of events. */
  messages: readonly string[];
  /** How far in its messages the device is then, when more are waiting. */
  toDevice: number | undefined;
}

const nothing: DeviceNews = { messages: [], toDevice: undefined };

/** Messages to the devices that sync, and the state of their one-time keys. */
export interface DeviceNewsReader {
  /** The device's view, loaded when there is none. */
  open(user: UserView, deviceNid: number): Promise<DeviceView>;
  /** The device has what it was sent up to `since`. */
  acknowledge(user: UserView, device: DeviceView, since: StreamPosition): void;
  /** Whether messages may be waiting for a device that has what came up to `since`. */
  hasNews(device: DeviceView, since: StreamPosition): boolean;
  /** `limit`: at most so many messages, and no more than `messagesMax`. */
  news(
    user: UserView,
    device: DeviceView,
    since: StreamPosition | null,
    uptoPos: number,
    limit?: number,
  ): Promise<DeviceNews> | DeviceNews;
  /** Members of the answer that say which keys of the device others may claim; no query when known. */
  keysJson(user: UserView, device: DeviceView | null): Promise<string> | string;
}

/** Clients of old count on this one being there when it is zero. */
const keysText = ({ counts, unusedFallbackTypes }: OneTimeKeyState) => {
  const json = JSON.stringify({ signed_curve25519: 0, ...counts });
  const types = JSON.stringify(unusedFallbackTypes);
  return (
    `"device_one_time_keys_count":${json},"device_unused_fallback_key_types":${types},` +
    `"org.matrix.msc2732.device_unused_fallback_key_types":${types}`
  );
};
const noKeys = keysText({ counts: {}, unusedFallbackTypes: [] });

const reached = (since: StreamPosition | null) => since?.toDevice ?? since?.durable ?? 0;

export function createDeviceNews({
  toDevice,
  oneTimeKeys,
}: Pick<SyncSources, 'toDevice' | 'oneTimeKeys'>): DeviceNewsReader {
  async function load(userNid: number, device: DeviceView): Promise<void> {
    const { firstPos, lastPos } = await toDevice.span(userNid, device.deviceNid);
    if (firstPos !== null) device.received(firstPos);
    if (lastPos !== null) device.received(lastPos);
  }

  async function readKeys(userNid: number, device: DeviceView): Promise<string> {
    const before = device.keyChanges;
    const state = await oneTimeKeys.state(userNid, device.deviceNid);
    const json = keysText(state);
    if (before === device.keyChanges) device.keysJson = json;
    return json;
  }

  async function waiting(
    userNid: number,
    device: DeviceView,
    { afterPos, uptoPos, limit }: { afterPos: number; uptoPos: number; limit: number },
  ): Promise<DeviceNews> {
    const ref = { userNid, deviceNid: device.deviceNid };
    const found = await toDevice.waiting(ref, afterPos, uptoPos, limit + 1);
    // Another process has seen them being acknowledged.
    if (found.length === 0 && device.inboxPos <= uptoPos) device.inboxPos = afterPos;
    const shown = found.slice(0, limit);
    const hasMore = found.length > shown.length;
    return {
      messages: shown.map(({ message }) => message),
      toDevice: hasMore ? shown.at(-1)!.pos : undefined,
    };
  }

  async function confirm(
    userNid: number,
    device: DeviceView,
    { pos, startPos }: { pos: number; startPos: number },
  ): Promise<void> {
    const isDone = await toDevice.acknowledge({ userNid, deviceNid: device.deviceNid }, pos);
    if (!isDone) device.inboxStartPos = Math.min(device.inboxStartPos, startPos);
  }

  return {
    async open(user, deviceNid) {
      let device = user.devices.get(deviceNid);
      if (!device) {
        const opened = new DeviceView(deviceNid);
        // Known before it is loaded, so that what comes meanwhile is not missed.
        user.devices.set(deviceNid, opened);
        opened.ready = load(user.userNid, opened).catch((error: unknown) => {
          user.devices.delete(deviceNid);
          throw error;
        });
        device = opened;
      }
      await device.ready;
      return device;
    },
    acknowledge({ userNid }, device, since) {
      const pos = reached(since);
      device.acknowledgedPos = Math.max(device.acknowledgedPos, pos);
      const startPos = device.inboxStartPos;
      if (startPos > pos) return;
      device.inboxStartPos = pos < device.inboxPos ? pos + 1 : Infinity;
      void confirm(userNid, device, { pos, startPos });
    },
    hasNews: (device, since) => device.hasMessages(reached(since)),
    news({ userNid }, device, since, uptoPos, limit = messagesMax) {
      if (!device.hasMessages(reached(since))) return nothing;
      const afterPos = Math.max(reached(since), device.acknowledgedPos);
      return waiting(userNid, device, { afterPos, uptoPos, limit: Math.min(limit, messagesMax) });
    },
    keysJson(user, device) {
      if (!device) return noKeys;
      return device.keysJson ?? readKeys(user.userNid, device);
    },
  };
}
