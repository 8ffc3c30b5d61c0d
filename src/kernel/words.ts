/** Longer words are found by their beginning. */
const wordLengthMax = 64;

/** Scripts written without spaces, where any two neighbours may be what is searched for. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー々]/u;
const runs = new RegExp(`${unspaced.source}+|[\\p{L}\\p{N}\\p{M}]+`, 'gu');
const spacedPart = new RegExp(`(${unspaced.source}+)`, 'u');

/** Text as it is compared: without case, and with one form for characters that look the same. */
export const normalised = (text: string): string => text.normalize('NFKC').toLowerCase();

const capped = (word: string): string => Array.from(word).slice(0, wordLengthMax).join('');

function bigrams(characters: readonly string[]): string[] {
  return characters.slice(1).map((character, i) => characters[i]! + character);
}

/** Pieces of a text: words, and runs of characters of scripts without spaces. */
function piecesOf(text: string): { text: string; isUnspaced: boolean }[] {
  const pieces = (normalised(text).match(runs) ?? []).flatMap((run) =>
    unspaced.test(run) ? run.split(spacedPart).filter((part) => part !== '') : [run],
  );
  return pieces.map((piece) => ({ text: piece, isUnspaced: unspaced.test(piece) }));
}

/**
 * Words under which a text is found; a search for the beginning of any of them finds it. Runs
 * without spaces become pairs of neighbours, and the last character by itself. Letters and digits
 * only, each word once, not more than `wordsMax`.
 */
export function indexedWords(texts: readonly (string | null)[], wordsMax: number): string[] {
  const words = new Set<string>();
  for (const text of texts) {
    for (const { text: piece, isUnspaced } of piecesOf(text ?? '')) {
      const characters = Array.from(piece);
      const found = isUnspaced ? [...bigrams(characters), characters.at(-1)!] : [capped(piece)];
      for (const word of found) if (words.size < wordsMax) words.add(word);
    }
  }
  return [...words];
}

/** The words of a search term: what is found has for each a word that begins so. */
export function searchedWords(term: string, wordsMax: number): string[] {
  const words = new Set<string>();
  for (const { text: piece, isUnspaced } of piecesOf(term)) {
    const characters = Array.from(piece);
    const found = isUnspaced && characters.length > 1 ? bigrams(characters) : [capped(piece)];
    for (const word of found) words.add(word);
  }
  return [...words].slice(0, wordsMax);
}
