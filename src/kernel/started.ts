/** Things that have been started, to be closed in the opposite order, when all or a start ends. */
export class Started {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) {
      // oxlint-disable-next-line no-await-in-loop
      await close();
    }
  }
}
