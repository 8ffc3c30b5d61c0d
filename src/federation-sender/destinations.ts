import { shardOf } from '../cluster/role.ts';
import { Destination, type Item } from './destination.ts';
import { allQueuedItemsMax } from './limits.ts';
import { federationSenderRole } from './role.ts';

/** The servers for which this process has something to do, and what waits for them in memory. */
export class Destinations {
  readonly #byName = new Map<string, Destination>();
  #queued = 0;

  /** Events and changes that wait, for all of them. */
  queued(): number {
    return this.#queued;
  }

  all(): Iterable<Destination> {
    return this.#byName.values();
  }

  find(name: string): Destination | undefined {
    return this.#byName.get(name);
  }

  /** Makes it when there is none. */
  of(name: string): Destination {
    const known = this.#byName.get(name);
    if (known) return known;
    const made = new Destination(name, shardOf(federationSenderRole, name));
    this.#byName.set(name, made);
    return made;
  }

  /** Something new for a server. `isAway`: it is left alone now. */
  add(destination: Destination, item: Item, isAway: boolean): void {
    const isFull = this.#queued >= allQueuedItemsMax;
    this.change(destination, () => destination.add(item, isAway || isFull));
  }

  /** Does something that may change the queue of a server. */
  change(destination: Destination, work: () => void): void {
    const before = destination.queue.length;
    work();
    if (!destination.isGone) this.#queued += destination.queue.length - before;
  }

  remove(destination: Destination): void {
    destination.isGone = true;
    this.#queued -= destination.queue.length;
    destination.queue = [];
    this.#byName.delete(destination.name);
  }
}
