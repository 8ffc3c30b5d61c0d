import { boundedCache } from '../kernel/bounded-cache.ts';
import type { TransactionStore } from './store/transactions.ts';
import type { TransactionKey } from './writer/proto-event.ts';

/** Devices whose transactions are remembered. */
const devicesMax = 10_000;
/** Transactions remembered for a device; older ones the room's writer finds by their unique key. */
const perDeviceMax = 500;

type Known = Map<string, string | Promise<string>>;

/**
 * Makes a request with a transaction id have its effect once, also when it is repeated while the
 * first is under way, after a restart, or through another process. Source: client-server spec,
 * "Transaction identifiers".
 */
export interface Transactions {
  /** Runs `append` unless the transaction is known; gives its event's id either way. */
  once(userNid: number, key: TransactionKey, append: () => Promise<string>): Promise<string>;
}

export function createTransactions(store: TransactionStore): Transactions {
  const devices = boundedCache<string, Known>(devicesMax);
  const loading = new Map<string, Promise<Known>>();
  const nameOf = (scope: string, txnId: string) => `${txnId}\n${scope}`;

  function known(userNid: number, deviceNid: number): Known | Promise<Known> {
    const device = `${userNid} ${deviceNid}`;
    const remembered = devices.get(device);
    if (remembered) return remembered;
    let promise = loading.get(device);
    if (!promise) {
      promise = store
        .ofDevice(userNid, deviceNid, perDeviceMax)
        .then((rows) => {
          const entries: Known = new Map();
          for (const row of rows.toReversed()) {
            entries.set(nameOf(row.scope, row.txnId), row.eventId);
          }
          devices.set(device, entries);
          return entries;
        })
        .finally(() => loading.delete(device));
      loading.set(device, promise);
    }
    return promise;
  }

  function remember(entries: Known, name: string, event: string | Promise<string>): void {
    entries.set(name, event);
    if (entries.size > perDeviceMax) entries.delete(entries.keys().next().value!);
  }

  return {
    async once(userNid, key, append) {
      const deviceNid = key.deviceNid ?? 0;
      const entries = await known(userNid, deviceNid);
      const name = nameOf(key.scope, key.txnId);
      const earlier = entries.get(name);
      if (earlier !== undefined) return earlier;
      const promise = append();
      remember(entries, name, promise);
      try {
        const eventId = await promise;
        if (entries.has(name)) entries.set(name, eventId);
        return eventId;
      } catch (error) {
        if (entries.get(name) === promise) entries.delete(name);
        throw error;
      }
    },
  };
}
