import { indexedWords as indexed, searchedWords as searched } from '../kernel/words.ts';

export { normalised } from '../kernel/words.ts';

/** Words of one user. Names are 256 characters at most; more words than this are noise. */
const indexedWordsMax = 48;
/** Words of one search; more cost time and find nothing more. */
const searchedWordsMax = 10;

/** Words under which a user is found. */
export const indexedWords = (...texts: readonly (string | null)[]): string[] =>
  indexed(texts, indexedWordsMax);

/** The words of a search term: a user is found when each is the beginning of one of its words. */
export const searchedWords = (term: string): string[] => searched(term, searchedWordsMax);
