/** Longer patterns match nothing: bounds the time that matching a long text can take. */
const patternLengthMax = 512;

/** Stands for `?` in a segment: any one character. */
const anyCharacter = null;
type Segment = readonly (string | null)[];

/** A pattern cut at its `*`s. Matching takes time in proportion to text × pattern, never more. */
export interface Glob {
  /** Whether the pattern matches the whole text. */
  matches(text: string): boolean;
  /**
   * Whether it matches a part of the text that begins and ends at word boundaries: at the ends of
   * the text, or beside a character other than `[A-Za-z0-9_]`.
   */
  matchesWords(text: string): boolean;
}

export function isWordCharacter(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    code === 95
  );
}

/** Whether a place between two characters of the text is a word boundary. */
function isBoundary(text: string, at: number): boolean {
  if (at === 0 || at === text.length) return true;
  return !isWordCharacter(text.charCodeAt(at - 1)) || !isWordCharacter(text.charCodeAt(at));
}

/** Whether the word, taken literally, occurs in the text between word boundaries. */
export function containsWord(text: string, word: string): boolean {
  if (word === '') return false;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (isBoundary(text, at) && isBoundary(text, at + word.length)) return true;
  }
  return false;
}

function cut(part: string, questionMark: boolean): Segment {
  if (!questionMark || !part.includes('?')) return part === '' ? [] : [part];
  const pieces: (string | null)[] = [];
  for (const piece of part.split(/(\?)/)) {
    if (piece === '?') pieces.push(anyCharacter);
    else if (piece !== '') pieces.push(piece);
  }
  return pieces;
}

/** The end of the segment when it begins at `at`, or -1. */
function endOf(text: string, at: number, segment: Segment): number {
  let end = at;
  for (const piece of segment) {
    if (piece !== anyCharacter) {
      if (!text.startsWith(piece, end)) return -1;
      end += piece.length;
    } else if (end < text.length) {
      end += text.codePointAt(end)! > 0xffff ? 2 : 1;
    } else return -1;
  }
  return end;
}

type Accepts = (start: number, end: number) => boolean;

/** The end of the first place from `from` on where the segment is and is accepted, or -1. */
function find(text: string, from: number, segment: Segment, accepts: Accepts): number {
  const first = segment[0];
  for (let at = from; at <= text.length; at++) {
    if (typeof first === 'string') {
      at = text.indexOf(first, at);
      if (at < 0) return -1;
    }
    const end = endOf(text, at, segment);
    if (end >= 0 && accepts(at, end)) return end;
  }
  return -1;
}

const anywhere: Accepts = () => true;

function matchSegments(
  text: string,
  segments: readonly Segment[],
  mayStart: (at: number) => boolean,
  mayEnd: (at: number) => boolean,
): boolean {
  const last = segments.length - 1;
  if (last === 0) {
    return find(text, 0, segments[0]!, (start, end) => mayStart(start) && mayEnd(end)) >= 0;
  }
  // What is leftmost leaves the most for the rest, since a `*` takes up any distance.
  let at = find(text, 0, segments[0]!, (start) => mayStart(start));
  for (let i = 1; i < last && at >= 0; i++) at = find(text, at, segments[i]!, anywhere);
  if (at < 0) return false;
  return find(text, at, segments[last]!, (_start, end) => mayEnd(end)) >= 0;
}

/**
 * Compiles a glob: `*` is any characters, `?` one (unless `questionMark` is false). Compares
 * exactly: for matching without regard to case give pattern and text in lower case.
 */
export function compileGlob(pattern: string, options: { questionMark?: boolean } = {}): Glob {
  if (pattern.length > patternLengthMax) return { matches: () => false, matchesWords: () => false };
  const questionMark = options.questionMark ?? true;
  const parts = pattern.split(/\*+/);
  const segments = parts.map((part) => cut(part, questionMark));
  if (segments.length === 1 && !(questionMark && pattern.includes('?'))) {
    return {
      matches: (text) => text === pattern,
      matchesWords: (text) => containsWord(text, pattern),
    };
  }
  return {
    matches: (text) =>
      matchSegments(
        text,
        segments,
        (at) => at === 0,
        (at) => at === text.length,
      ),
    matchesWords: (text) => {
      const boundary = (at: number) => isBoundary(text, at);
      return matchSegments(text, segments, boundary, boundary);
    },
  };
}
