import { defineStream } from '../streams/define-stream.ts';

/** What others see of a user's devices and keys has changed. */
export interface DeviceListRow {
  userNid: number;
  userId: string;
  /** The rooms the user is joined to: who else is there is to know. */
  roomNids: number[];
}

export const deviceListStream = defineStream<DeviceListRow>({
  name: 'device_lists',
  durable: true,
  shardedBy: 'user',
});

/** A user has signed others' keys; nobody else is shown that. */
export interface UserSignatureRow {
  userNid: number;
  /** Whose keys were signed. */
  targetIds: string[];
}

export const userSignatureStream = defineStream<UserSignatureRow>({
  name: 'user_signatures',
  durable: true,
  shardedBy: 'user',
});

/** The one-time or fallback keys of devices are other ones now. */
export interface OneTimeKeysRow {
  devices: { userNid: number; deviceNid: number }[];
}

/** Lost on the way, a device learns a count late. */
export const oneTimeKeyStream = defineStream<OneTimeKeysRow>({
  name: 'one_time_keys',
  durable: false,
  shardedBy: 'user',
});
