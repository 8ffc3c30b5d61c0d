import { defineStream } from '../streams/define-stream.ts';

/** A message that waits for a device. */
export interface ToDeviceRow {
  userNid: number;
  deviceNid: number;
  /** The event as `/sync` shows it, as JSON text: content, sender, type. */
  message: string;
}

export const toDeviceStream = defineStream<ToDeviceRow>({
  name: 'to_device',
  durable: true,
  shardedBy: 'device',
});

/** A message waits for devices of another server. */
export const toDeviceOutboxStream = defineStream<{ serverName: string }>({
  name: 'to_device_outbox',
  durable: true,
  shardedBy: 'none',
});
