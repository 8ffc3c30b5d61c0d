import { isUserId } from '../ids.ts';

/**
 * The user whose state an entry is by its key: a user id, which `_` and more may follow. Null: it is
 * no such key. Server names have no `_`. Source: MSC3757.
 */
export function ownerOf(stateKey: string): string | null {
  const colon = stateKey.indexOf(':', 1);
  const suffix = colon === -1 ? -1 : stateKey.indexOf('_', colon);
  const owner = suffix === -1 ? stateKey : stateKey.slice(0, suffix);
  return isUserId(owner) ? owner : null;
}
