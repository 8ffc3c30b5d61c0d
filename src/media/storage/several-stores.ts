import type { MediaStore } from './media-store.ts';

/** The first result that is not null. */
async function firstOf<T>(
  stores: readonly MediaStore[],
  ask: (store: MediaStore) => Promise<T | null>,
): Promise<T | null> {
  for (const store of stores) {
    // oxlint-disable-next-line no-await-in-loop -- the next is asked only when this has nothing
    const found = await ask(store);
    if (found !== null) return found;
  }
  return null;
}

/**
 * Several stores as one. Contents are put into `writable`, and looked for in these and then in
 * `others`, where they may be from before.
 */
export function joinStores(
  writable: readonly MediaStore[],
  others: readonly MediaStore[] = [],
): MediaStore {
  const all = [...writable, ...others];
  if (all.length === 1) return all[0]!;
  return {
    async put(file) {
      await Promise.all(writable.map((store) => store.put(file)));
    },
    has: async (sha256) =>
      (await firstOf(all, async (s) => (await s.has(sha256)) || null)) ?? false,
    open: (sha256, range) => firstOf(all, (store) => store.open(sha256, range)),
    asFile: (sha256) => firstOf(all, (store) => store.asFile(sha256)),
    async delete(sha256) {
      await Promise.all(all.map((store) => store.delete(sha256)));
    },
  };
}
