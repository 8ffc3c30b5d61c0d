import type { StoredEvent } from '../rooms/module.ts';

/** Pairs of type and state key that one room is asked for; bounds the work of a request. */
export const requiredStateMax = 200;

const memberType = 'm.room.member';

/** The state that a client wants of a room: types, and state keys of each. `*` stands for all. */
export class RequiredState {
  readonly #keys = new Map<string, Set<string>>();
  /** Members that appear in the timeline, instead of all. */
  isLazy = false;

  /** `$ME` and `$LAZY` as MSC4186 has them. */
  add(type: string, stateKey: string, userId: string): void {
    if (type === memberType && stateKey === '$LAZY') {
      this.isLazy = true;
      return;
    }
    const key = stateKey === '$ME' ? userId : stateKey;
    const keys = this.#keys.get(type);
    if (keys) keys.add(key);
    else this.#keys.set(type, new Set([key]));
  }

  /** What either wants. */
  joinedWith(other: RequiredState): RequiredState {
    const joined = new RequiredState();
    joined.isLazy = this.isLazy || other.isLazy;
    for (const state of [this, other]) {
      for (const [type, keys] of state.#keys) {
        joined.#keys.set(type, (joined.#keys.get(type) ?? new Set()).union(keys));
      }
    }
    return joined;
  }

  #admits(type: string, key: string): boolean {
    const keys = this.#keys.get(type);
    return keys !== undefined && (keys.has(key) || keys.has('*'));
  }

  /** `lazyMembers`: those who appear in the timeline. */
  admits(type: string, stateKey: string, lazyMembers: ReadonlySet<string>): boolean {
    if (this.#admits(type, stateKey)) return true;
    if (type === memberType && this.isLazy) return lazyMembers.has(stateKey);
    return this.#admits('*', stateKey);
  }

  /** The same for an event. */
  wants({ type, stateKey }: StoredEvent, lazyMembers: ReadonlySet<string>): boolean {
    return stateKey !== null && this.admits(type, stateKey, lazyMembers);
  }

  /** Whether other than single entries and whole types is wanted. */
  get isAnyType(): boolean {
    return this.#keys.has('*');
  }

  /** Types of which all is wanted. */
  wholeTypes(): string[] {
    return [...this.#keys].filter(([type, keys]) => type !== '*' && keys.has('*')).map(([t]) => t);
  }

  /** Single entries, without those of whole types. */
  entries(): [type: string, stateKey: string][] {
    return [...this.#keys].flatMap(([type, keys]) =>
      type === '*' || keys.has('*') ? [] : [...keys].map((key): [string, string] => [type, key]),
    );
  }

  /** The same text for the same wishes. */
  signature(): string {
    const pairs = [...this.#keys].flatMap(([type, keys]) => [...keys].map((key) => [type, key]));
    const texts = pairs.map((pair) => JSON.stringify(pair)).toSorted();
    return `${this.isLazy ? 'lazy' : ''}${texts.join('')}`;
  }
}
