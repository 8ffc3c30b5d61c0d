import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import {
  createEventWriter,
  placeParameter,
  readableTimeline,
  type RoomServices,
} from '../../rooms/module.ts';
import { formatPlace } from '../../streams/position.ts';
import type { ThreadStore } from '../store/threads.ts';

export interface ThreadNeeds {
  rooms: RoomServices;
  threads: ThreadStore;
}

const limitDefault = 5;
const limitMax = 100;

export const getThreadRoots = endpoint<ThreadNeeds>()({
  operation: 'getThreadRoots',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/threads', {
    since: 'v1',
    also: ['unstable/org.matrix.msc3856'],
  }),
  auth: 'guest',
  runsOn: { group: 'pagination', balance: 'room' },
  summary: "A room's threads by their roots, those with the newest events first",
  source: 'CS 1.19, getThreadRoots',
  query: Type.Object({
    include: Type.Optional(Type.Union([Type.Literal('all'), Type.Literal('participated')])),
    from: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ params, query, requester }, { rooms, threads }) {
    const limit = Math.min(query.limit ?? limitDefault, limitMax);
    const from = placeParameter(query.from, 'from') ?? { pos: Number.MAX_SAFE_INTEGER, sub: 0 };
    const participant = query.include === 'participated' ? requester.userNid : null;
    const { access, visibility } = await readableTimeline(rooms, params['roomId']!, requester);
    const rows = await threads.threads(access.roomNid, from, limit + 1, participant);
    const read = rows.slice(0, limit);
    const shown = read.filter((root) => visibility.allows(root));
    const write = await createEventWriter(rooms, requester, access, visibility, shown);
    let text = `{"chunk":[${shown.map(write).join(',')}]`;
    const last = read.at(-1);
    if (last && rows.length > limit) {
      const { lastPos: pos, lastSub: sub } = last;
      const next = sub === 0 ? { pos: pos - 1, sub: 0 } : { pos, sub: sub - 1 };
      text += `,"next_batch":"${formatPlace(next)}"`;
    }
    return new JsonText(`${text}}`);
  },
});
