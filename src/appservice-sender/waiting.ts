import type { Presence } from '../presence/module.ts';
import type { TypingRow } from '../typing/module.ts';

export interface DeviceRef {
  userNid: number;
  deviceNid: number;
}

/** Of each kind; of more the oldest are lost. */
const waitingMax = 500;

/** Puts in the newest, behind all others. */
function put<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > waitingMax) map.delete(map.keys().next().value!);
}

/** Takes out at most so many. */
function take<K, V>(map: Map<K, V>, limit: number): V[] {
  const taken = [...map].slice(0, limit);
  for (const [key] of taken) map.delete(key);
  return taken.map(([, value]) => value);
}

/** What is lost when a service is away: the newest of each, of which an older one is nothing worth. */
export class Waiting {
  readonly #typing = new Map<number, TypingRow>();
  readonly #presence = new Map<number, Presence>();
  readonly #keyCounts = new Map<number, DeviceRef>();

  typing(row: TypingRow): void {
    put(this.#typing, row.roomNid, row);
  }

  presence(row: Presence): void {
    put(this.#presence, row.userNid, row);
  }

  /** The one-time keys of the device are others now. */
  keyCount(device: DeviceRef): void {
    put(this.#keyCounts, device.deviceNid, device);
  }

  takeTyping = (limit: number): TypingRow[] => take(this.#typing, limit);
  takePresence = (limit: number): Presence[] => take(this.#presence, limit);
  takeKeyCounts = (limit: number): DeviceRef[] => take(this.#keyCounts, limit);

  isEmpty(): boolean {
    return this.#typing.size + this.#presence.size + this.#keyCounts.size === 0;
  }

  drop(): void {
    this.#typing.clear();
    this.#presence.clear();
    this.#keyCounts.clear();
  }
}
