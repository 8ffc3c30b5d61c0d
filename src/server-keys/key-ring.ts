import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ServerKey } from '../matrix/server-keys.ts';
import type { FetchedKeys, FetchKeys } from './fetch-keys.ts';
import type { OwnKeys } from './own-keys.ts';
import type { ServerKeyStore } from './store/server-keys.ts';

export interface KeyRingNeeds {
  serverName: string;
  own: OwnKeys;
  store: ServerKeyStore;
  fetchKeys: FetchKeys;
  clock: Clock;
}

/** Keys of all servers, this one's among them: out of memory, the database, or fetched. */
export interface KeyRing {
  /**
   * A server's key; null: it is not to be had. `validAtTs`: a key that ended before is looked for
   * anew, and given as it is when there is nothing newer.
   */
  find(serverName: string, keyId: string, validAtTs: number): Promise<ServerKey | null>;
  /** Asks the server, or those that are trusted to know; null: no answer, or not now again. */
  refresh(serverName: string, keyId: string): Promise<FetchedKeys | null>;
}

const serversMax = 10_000;
/** A server is asked no sooner again, whoever sends what with its name. */
const askAgainMs = 60_000;

interface Known {
  keys: Map<string, ServerKey>;
  /** A look into the database, or a question, under way. */
  loading: Promise<void> | null;
  asking: Promise<FetchedKeys | null> | null;
  askedTs: number;
}

export function createKeyRing({
  serverName: ownName,
  own,
  store,
  ...needs
}: KeyRingNeeds): KeyRing {
  const { fetchKeys, clock } = needs;
  const servers = boundedCache<string, Known>(serversMax);

  function knownOf(serverName: string): Known {
    const found = servers.get(serverName);
    if (found) return found;
    const known: Known = { keys: new Map(), loading: null, asking: null, askedTs: -Infinity };
    servers.set(serverName, known);
    return known;
  }

  /** Another process may have fetched what is missing here. */
  function load(serverName: string, known: Known): Promise<void> {
    known.loading ??= store
      .keysOf(serverName)
      .then((keys) => void (known.keys = keys))
      .finally(() => (known.loading = null));
    return known.loading;
  }

  async function ask(serverName: string, keyId: string, known: Known) {
    const fetched = await fetchKeys(serverName, keyId);
    if (!fetched) return null;
    await store.keep(serverName, fetched, fetched.answer);
    for (const [id, key] of fetched.keys) known.keys.set(id, key);
    return fetched;
  }

  function refresh(serverName: string, keyId: string): Promise<FetchedKeys | null> {
    const known = knownOf(serverName);
    if (!known.asking) {
      if (clock.now() - known.askedTs < askAgainMs) return Promise.resolve(null);
      known.askedTs = clock.now();
      known.asking = ask(serverName, keyId, known).finally(() => (known.asking = null));
    }
    return known.asking;
  }

  return {
    refresh,
    async find(serverName, keyId, validAtTs) {
      if (serverName === ownName) return own.find(keyId);
      const known = knownOf(serverName);
      // What is in the future is no reason to ask again and again.
      const neededTs = Math.min(validAtTs, clock.now());
      const good = () => {
        const key = known.keys.get(keyId);
        return key && key.validUntilTs >= neededTs ? key : null;
      };
      if (good()) return good();
      await load(serverName, known);
      if (!good()) await refresh(serverName, keyId);
      return known.keys.get(keyId) ?? null;
    },
  };
}
