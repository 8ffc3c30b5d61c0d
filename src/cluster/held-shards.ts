import type { Fence } from '../database/fence.ts';

/** How long work on a shard may go on after it is to be given away; fences stop what is later. */
const drainMsMax = 5_000;

/** A shard that this process holds. */
export interface HeldShard {
  readonly fence: Fence;
  /** It is being given away: nothing new begins. */
  isLeaving: boolean;
  inside: number;
  emptied: (() => void) | null;
}

const nameOf = (role: string, shard: number) => `${role} ${shard}`;

/** The shards this process holds, and the work that is going on in them. */
export class HeldShards {
  readonly #shards = new Map<string, HeldShard>();

  /** Begins work in a shard; null when this process may not. `leave` when it is done. */
  enter(role: string, shard: number): HeldShard | null {
    const held = this.#shards.get(nameOf(role, shard));
    if (!held || held.isLeaving) return null;
    held.inside++;
    return held;
  }

  leave(held: HeldShard): void {
    if (--held.inside === 0) held.emptied?.();
  }

  has(role: string, shard: number): boolean {
    return this.#shards.get(nameOf(role, shard))?.isLeaving === false;
  }

  /** Whether it is held, be it on its way to another. */
  knows(role: string, shard: number): boolean {
    return this.#shards.has(nameOf(role, shard));
  }

  add(fence: Fence): void {
    const held = { fence, isLeaving: false, inside: 0, emptied: null };
    this.#shards.set(nameOf(fence.role, fence.shard), held);
  }

  remove(held: HeldShard): void {
    const name = nameOf(held.fence.role, held.fence.shard);
    held.isLeaving = true;
    held.fence.isOver = true;
    if (this.#shards.get(name) === held) this.#shards.delete(name);
  }

  all(): HeldShard[] {
    return [...this.#shards.values()];
  }

  /** Lets nothing more begin; resolves when what is going on has ended, or takes too long. */
  drain(held: HeldShard): Promise<void> {
    held.isLeaving = true;
    if (held.inside === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, drainMsMax);
      held.emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
