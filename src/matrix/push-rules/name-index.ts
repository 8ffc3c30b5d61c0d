import { isWordCharacter } from './glob.ts';

/** The runs of word characters in a text. */
function* words(text: string): Generator<string> {
  let start = -1;
  for (let i = 0; i <= text.length; i++) {
    const isWord = i < text.length && isWordCharacter(text.charCodeAt(i));
    if (isWord && start < 0) start = i;
    else if (!isWord && start >= 0) {
      yield text.slice(start, i);
      start = -1;
    }
  }
}

/** Names without a word character (other scripts than Latin) are found by how they begin. */
const beginningLength = 2;

function keyOf(name: string): string {
  const word = words(name).next();
  return word.done ? `\0${name.slice(0, beginningLength)}` : word.value;
}

/**
 * Finds those whose name may occur in a text without looking at everybody. A name can only occur
 * between word boundaries if its first run of word characters is a whole run of the text.
 */
export class NameIndex<Holder> {
  readonly #holders = new Map<string, Set<Holder>>();
  #beginnings = 0;

  /** A name in lower case. */
  add(name: string, holder: Holder): void {
    if (name === '') return;
    const key = keyOf(name);
    let set = this.#holders.get(key);
    if (!set) {
      set = new Set();
      this.#holders.set(key, set);
      if (key.startsWith('\0')) this.#beginnings++;
    }
    set.add(holder);
  }

  remove(name: string, holder: Holder): void {
    const key = keyOf(name);
    const set = this.#holders.get(key);
    if (!set?.delete(holder) || set.size > 0) return;
    this.#holders.delete(key);
    if (key.startsWith('\0')) this.#beginnings--;
  }

  /** Everybody whose name occurs in the text (lower case), and perhaps others. */
  candidates(text: string): Set<Holder> {
    const found = new Set<Holder>();
    const take = (key: string) => {
      for (const holder of this.#holders.get(key) ?? []) found.add(holder);
    };
    for (const word of words(text)) take(word);
    if (this.#beginnings > 0) {
      for (let i = 0; i < text.length; i++) {
        take(`\0${text[i]!}`);
        take(`\0${text.slice(i, i + beginningLength)}`);
      }
    }
    return found;
  }
}
