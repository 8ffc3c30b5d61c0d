import type { KeysServices } from './services.ts';
import type { KeyWanted } from './one-time-keys.ts';

/** Keys that are claimed: user id → device id → algorithm. */
export type Claims = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * Claims keys of users of this server; gives the members of `one_time_keys` as JSON texts. Each key is
 * given out once; of a device without one the fallback key is.
 */
export async function claimedMembers(
  claims: Claims,
  userIds: readonly string[],
  { userNidsOf, oneTimeKeys }: Pick<KeysServices, 'userNidsOf' | 'oneTimeKeys'>,
): Promise<string[]> {
  const wanted: (KeyWanted & { userId: string })[] = [];
  for (const [userId, userNid] of await userNidsOf(userIds)) {
    for (const [deviceId, algorithm] of Object.entries(claims[userId]!)) {
      // No name in the database has NUL.
      if (deviceId.includes('\0') || algorithm.includes('\0')) continue;
      wanted.push({ userId, userNid, deviceId, algorithm });
    }
  }
  const claimed = wanted.length > 0 ? await oneTimeKeys.claim(wanted) : [];
  const users = new Map<string, string[]>();
  claimed.forEach((key, i) => {
    if (key === null) return;
    const { userId, deviceId } = wanted[i]!;
    const text = `${JSON.stringify(deviceId)}:{${JSON.stringify(key.keyId)}:${key.key}}`;
    const list = users.get(userId);
    if (list) list.push(text);
    else users.set(userId, [text]);
  });
  return Array.from(users, ([id, list]) => `${JSON.stringify(id)}:{${list.join(',')}}`);
}
