/** Something with a place in a list. */
export interface Placed {
  /** Where it is; -1: nowhere. Belongs to the list. */
  place: number;
}

/**
 * Things that come and go all the time, without order. A Set would do, but for garbage: each time
 * its table is renewed the old one lives on until the next big collection, with all that was in it.
 */
export class UnderWay<T extends Placed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  delete(item: T): void {
    const last = this.#items.pop();
    if (last && last !== item) {
      this.#items[item.place] = last;
      last.place = item.place;
    }
    item.place = -1;
  }

  /** All as they are now; they may be deleted meanwhile. */
  all(): readonly T[] {
    return [...this.#items];
  }
}
