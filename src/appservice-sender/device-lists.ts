import { isInterestedInUser, type AppserviceRegistration } from '../appservices/registrations.ts';
import type { Interned, JoinedRooms } from '../rooms/module.ts';
import type { EventRow, FeedRow } from './feed.ts';
import type { Interests } from './interests.ts';

export interface DeviceListsNeeds {
  interests: Interests;
  interned: Pick<Interned, 'findAll'>;
  joinedRooms: Pick<JoinedRooms, 'ofAny'>;
  position(): number;
}

type Row = Exclude<FeedRow, { kind: 'event' }> | (EventRow & { json: string });

/** Whether a member event has let a user in, or out; null: neither. */
function moveIn(json: string): 'in' | 'out' | null {
  const { content, unsigned } = JSON.parse(json) as {
    content: { membership?: unknown };
    unsigned?: { prev_content?: { membership?: unknown } };
  };
  const isJoined = content.membership === 'join';
  if (isJoined === (unsigned?.prev_content?.membership === 'join')) return null;
  return isJoined ? 'in' : 'out';
}

/**
 * Whose devices a service is to look up anew, and of whom it hears no more (MSC3202): who has other
 * devices, and who has come to rooms that it is interested in, or has left the last of them.
 */
export async function deviceListsOf(
  service: AppserviceRegistration,
  rows: readonly Row[],
  { interests, interned, joinedRooms, position }: DeviceListsNeeds,
): Promise<{ changed: string[]; left: string[] }> {
  const changed = new Set<string>();
  const gone = new Set<string>();
  for (const row of rows) {
    if (row.kind === 'devices') changed.add(row.row.userId);
    if (row.kind !== 'event' || row.memberId === null) continue;
    const move = moveIn(row.json);
    if (move === 'in') changed.add(row.memberId);
    if (move === 'out' && !isInterestedInUser(service, row.memberId)) gone.add(row.memberId);
  }
  if (gone.size === 0) return { changed: [...changed], left: [] };
  const nids = await interned.findAll([...gone]);
  const joined = await Promise.all(
    [...gone].map(async (userId) => {
      const nid = nids.get(userId);
      return { userId, rooms: nid === undefined ? [] : [...(await joinedRooms.ofAny([nid]))] };
    }),
  );
  const pos = position();
  const rooms = await interests.of(
    joined.flatMap((one) => one.rooms),
    pos,
  );
  const left = joined
    .filter((one) => !one.rooms.some((nid) => rooms.get(nid)?.isOf(service, pos)))
    .map(({ userId }) => userId);
  return { changed: [...changed].filter((userId) => !left.includes(userId)), left };
}
