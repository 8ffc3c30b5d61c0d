import { defineStream } from '../streams/define-stream.ts';

export const presenceStates = ['online', 'unavailable', 'offline'] as const;
export type PresenceState = (typeof presenceStates)[number];

export function isPresenceState(value: unknown): value is PresenceState {
  return presenceStates.some((state) => state === value);
}

/** How present a user is, as others are told. */
export interface Presence {
  userNid: number;
  userId: string;
  isLocal: boolean;
  state: PresenceState;
  /** Milliseconds since 1970; null: never seen. */
  lastActiveTs: number | null;
  statusMsg: string | null;
  /** Active now, and to be taken for it until the next row says otherwise. */
  isCurrentlyActive: boolean;
}

export const presenceStream = defineStream<Presence>({
  name: 'presence',
  durable: false,
  shardedBy: 'user',
});

/** A process has missed rows of presence since a time: they are to be said again. */
export const presenceMissedStream = defineStream<{ sinceTs: number }>({
  name: 'presence_missed',
  durable: false,
  shardedBy: 'none',
});
