/** Letters to add, remove or replace so that one word becomes the other (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, change));
    }
    row = next;
  }
  return row[b.length]!;
}

/** So many wrong letters are forgiven in any name that is long enough for it. */
const mistakesMin = 3;

const digitsOf = (name: string) => name.replace(/\D/g, '');

/** The name most like the given one; null when none is like it. */
export function nearestName(name: string, names: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(mistakesMin, Math.floor(name.length / 3)) + 1;
  for (const known of names) {
    // Of names with numbers, such as those of proposals, another number is another thing.
    if (digitsOf(known) !== digitsOf(name)) continue;
    const distance = editDistance(name, known);
    // With half of its letters wrong it is another word.
    if (distance < bestDistance && distance <= known.length / 2) {
      [best, bestDistance] = [known, distance];
    }
  }
  return best;
}
