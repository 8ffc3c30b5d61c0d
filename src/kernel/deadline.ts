/** A moment by which something is to have happened. */
export class Deadline {
  readonly #atMs: number;

  constructor(inMs: number) {
    this.#atMs = performance.now() + inMs;
  }

  /** Milliseconds that are left; negative when it is over. */
  get leftMs(): number {
    return this.#atMs - performance.now();
  }

  /** What the promise gives; throws `late()` when the deadline comes first. */
  async orLate<T>(promise: Promise<T>, late: () => Error): Promise<T> {
    const { promise: over, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(late()), this.leftMs);
    try {
      return await Promise.race([promise, over]);
    } finally {
      clearTimeout(timer);
    }
  }
}
