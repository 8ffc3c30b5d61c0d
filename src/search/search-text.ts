import { indexedWords, searchedWords } from '../kernel/words.ts';

/** Words of one event; an event of 64 KiB may have many thousands. */
const indexedWordsMax = 5_000;
/** Words of one search. */
const searchedWordsMax = 20;
/** Shorter words are found whole: too much begins with them. */
const prefixLengthMin = 3;
/** Above so many rooms it is cheaper to look at what has the words, whatever its room. */
const roomsInQueryMax = 100;

/** The word for a room; no text has it, as words are letters and digits. */
const roomWord = (roomNid: number) => `@${roomNid}`;

/** A text as PostgreSQL's tsvector, in its text form; null: there is nothing to find. */
export function vectorOf(text: string, roomNid: number): string | null {
  const words = indexedWords([text], indexedWordsMax);
  return words.length === 0 ? null : [roomWord(roomNid), ...words].join(' ');
}

const hasOnlyAscii = /^[\x20-\x7e]*$/;

function termOf(word: string): string {
  const isPrefix = word.length >= prefixLengthMin || !hasOnlyAscii.test(word);
  return isPrefix ? `'${word}':*` : `'${word}'`;
}

export interface SearchQuery {
  /** A tsquery, in its text form. */
  words: string;
  /** The same, within the rooms when they are few. */
  wordsInRooms: string;
  /** What is to be highlighted. */
  highlights: string[];
}

/** Null: the term has no words, and nothing is found. */
export function queryOf(term: string, roomNids: readonly number[]): SearchQuery | null {
  const highlights = searchedWords(term, searchedWordsMax);
  if (highlights.length === 0) return null;
  const words = highlights.map(termOf).join(' & ');
  const rooms = roomNids.map((nid) => `'${roomWord(nid)}'`).join(' | ');
  const isNarrow = roomNids.length > 0 && roomNids.length <= roomsInQueryMax;
  return { words, wordsInRooms: isNarrow ? `(${rooms}) & ${words}` : words, highlights };
}
