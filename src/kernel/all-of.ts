type AllOf<T extends readonly unknown[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

/** `Promise.all`, but at once when none of the values is a promise: what is in memory waits for no turn. */
export function allOf<const T extends readonly unknown[]>(values: T): AllOf<T> | Promise<AllOf<T>> {
  return values.some((value) => value instanceof Promise)
    ? Promise.all(values)
    : (values as unknown as AllOf<T>);
}
