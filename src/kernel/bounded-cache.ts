import { LRUCache } from 'lru-cache';

/**
 * A cache of at most `max` entries that forgets the least recently used first. Memory is taken as
 * entries come: `LRUCache` with `max` alone takes it all at once.
 */
export function boundedCache<K extends {}, V extends {}>(
  max: number,
  options: { dispose?: LRUCache.Disposer<K, V> } = {},
): LRUCache<K, V> {
  return new LRUCache<K, V>({ maxSize: max, sizeCalculation: () => 1, ...options });
}
