/**
 * Lets the appends of a room go on side by side, and holds them up while something has to be alone
 * with what is stored.
 */
export class RoomGate {
  #inside = 0;
  #closed: Promise<void> | null = null;
  #whenEmpty: (() => void) | null = null;

  /** Null while the gate is open, else a promise of it; after that it is to be asked again. */
  closed(): Promise<void> | null {
    return this.#closed;
  }

  /** Nobody is alone until `leave`. To be called while the gate is open. */
  enter(): void {
    this.#inside++;
  }

  leave(): void {
    if (--this.#inside === 0) this.#whenEmpty?.();
  }

  /** Does something while nobody else is inside. `wait`: how to wait for those who were first. */
  async alone<T>(
    work: () => Promise<T>,
    wait = (opened: Promise<void>): Promise<void> => opened,
  ): Promise<T> {
    // oxlint-disable-next-line no-await-in-loop
    while (this.#closed) await wait(this.#closed);
    const { promise, resolve: open } = Promise.withResolvers<void>();
    this.#closed = promise;
    try {
      if (this.#inside > 0) {
        await new Promise<void>((resolve) => {
          this.#whenEmpty = resolve;
        });
      }
      return await work();
    } finally {
      this.#whenEmpty = null;
      this.#closed = null;
      open();
    }
  }
}
