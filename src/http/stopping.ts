/** Somebody who wants to be told when the server stops. */
export interface Told {
  /** Where it is in the list; -1: not there. */
  slot: number;
  tell(): void;
}

/** Whether the server stops, and who is to be told when it does. */
export class Stopping {
  /** An array with gaps filled at once: the tables of a `Set` that is always in motion outlive young collections. */
  readonly #told: Told[] = [];
  #isStopping = false;

  get isStopping(): boolean {
    return this.#isStopping;
  }

  add(one: Told): void {
    one.slot = this.#told.push(one) - 1;
  }

  delete(one: Told): void {
    if (one.slot === -1) return;
    const last = this.#told.pop()!;
    if (last !== one) {
      this.#told[one.slot] = last;
      last.slot = one.slot;
    }
    one.slot = -1;
  }

  stop(): void {
    this.#isStopping = true;
    for (const one of this.#told.slice()) one.tell();
  }
}
