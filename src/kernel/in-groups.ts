/** Works on items side by side, `size` of them at a time; gives the results in the items' order. */
export async function inGroups<T, R>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += size) {
    // oxlint-disable-next-line no-await-in-loop
    results.push(...(await Promise.all(items.slice(at, at + size).map(work))));
  }
  return results;
}
