const twoTo32 = 2 ** 32;

/** FNV-1a over UTF-16 code units, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Spreads every bit of two hashes over the whole number (the finish of MurmurHash3). */
function mix(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * The score of a node for a key in weighted rendezvous hashing: the node with the highest score
 * has the key, and a node whose weight changes gains or loses only keys of its own.
 * `weight` 0 never wins against another.
 */
export function scoreOf(keyHash: number, nodeHash: number, weight: number): number {
  return -weight / Math.log((mix(keyHash, nodeHash) + 1) / (twoTo32 + 1));
}
