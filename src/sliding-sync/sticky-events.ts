import { MatrixError } from '../kernel/errors.ts';
import { clientEventJson } from '../rooms/module.ts';
import type { ExtensionContext, ExtensionNeeds, ExtensionPart } from './extensions.ts';

export const stickyEventsName = 'org.matrix.msc4354.sticky_events';

/** As MSC4354 has it. */
const limitMax = 100;

function positionIn(token: string | undefined): number {
  if (token === undefined) return 0;
  if (/^\d{1,16}$/.test(token)) return Number(token);
  throw new MatrixError(
    'M_INVALID_PARAM',
    '`since` of sticky events is not a token of this server',
  );
}

/** Events that are sticky in rooms in view, except those that the answer's timelines have. */
export async function stickyEvents(
  context: ExtensionContext,
  roomNids: readonly number[],
  { sources }: ExtensionNeeds,
): Promise<ExtensionPart> {
  const { request, user, device, upto, shown, now } = context;
  const wish = request.extensions[stickyEventsName];
  const source = sources.stickyEvents;
  if (!wish?.enabled || !source) return null;
  const afterPos = positionIn(wish.since);
  const limit = Math.min(wish.limit ?? limitMax, limitMax);
  const ranges = roomNids.map((roomNid) => ({ roomNid, afterPos }));
  const [events, ignored] = await Promise.all([
    ranges.length > 0 && limit > 0 ? source.inRooms(ranges, upto.durable, limit) : [],
    sources.accountData.ignoredUsers(user.userNid),
  ]);
  const reached = events.length === limit ? (events.at(-1)?.pos ?? afterPos) : upto.durable;
  const wanted = events.filter(
    ({ eventId, sender, stateKey }) =>
      !shown.has(eventId) && (stateKey !== null || !ignored.has(sender)),
  );
  const format = { now, senderNid: user.userNid, deviceNid: device?.deviceNid ?? null };
  const rooms = [...Map.groupBy(wanted, ({ roomNid }) => roomNid)].map(([roomNid, some]) => {
    const texts = some.map((event) => clientEventJson(event, format));
    return `${JSON.stringify(user.rooms.get(roomNid)!.roomId)}:{"events":[${texts.join(',')}]}`;
  });
  const next = Math.max(reached, afterPos);
  return {
    json: `"${stickyEventsName}":{"next_batch":"${next}","rooms":{${rooms.join(',')}}}`,
    isNews: wanted.length > 0,
  };
}
