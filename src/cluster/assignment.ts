import { createHash } from 'node:crypto';

/** A process that may take shards of a role. */
export interface Candidate {
  instance: string;
}

const score = (instance: string, role: string, shard: number): bigint =>
  createHash('sha1').update(`${instance} ${role} ${shard}`).digest().readBigUInt64BE();

/**
 * Who is to hold each shard of a role: rendezvous hashing (Thaler and Ravishankar, 1998), so that
 * everybody who knows the same candidates decides the same, and one that comes or goes moves only
 * its own share. Index: shard; null when there is no candidate.
 */
export function assignShards(
  role: { name: string; shards: number },
  candidates: readonly Candidate[],
): (string | null)[] {
  return Array.from({ length: role.shards }, (_, shard) => {
    let best: string | null = null;
    let bestScore = -1n;
    for (const { instance } of candidates) {
      const own = score(instance, role.name, shard);
      if (own > bestScore) {
        best = instance;
        bestScore = own;
      }
    }
    return best;
  });
}
