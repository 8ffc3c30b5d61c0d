import { Type } from 'typebox';
import { endpoint, JsonText } from '../../http/endpoint.ts';
import { isEventId } from '../../matrix/ids.ts';
import type { PlacedEvent } from '../store/events.ts';
import { common, pdusAnswer, type FederationRoomsServices } from './needs.ts';

const declare = endpoint<FederationRoomsServices>();

const backfillMax = 100;
const missingDefault = 10;
const missingMax = 20;
/** Events that a walk begins at, and ends at; more are not looked at. */
const startsMax = 100;
const endsMax = 1_000;

/** Older events first; what has the same depth in the order in which it came here. */
const byAge = (a: PlacedEvent, b: PlacedEvent) => a.depth - b.depth || a.eventNid - b.eventNid;

const idsOf = (given: readonly string[], max: number) => given.filter(isEventId).slice(0, max);

const backfill = declare({
  ...common,
  operation: 'backfillRoom',
  method: 'GET',
  paths: ['/_matrix/federation/v1/backfill/:roomId'],
  summary: 'Events and what came before them, newest first, for a server in the room',
  source: 'SS 1.19, backfillRoom',
  query: Type.Object({
    v: Type.Array(Type.String()),
    limit: Type.Integer({ minimum: 1 }),
  }),
  errors: ['M_FORBIDDEN', 'M_MISSING_PARAM', 'M_INVALID_PARAM'],
  async handle({ params, query: { v, limit }, origin }, services) {
    const { access, events, view } = services;
    const room = await access.room(params['roomId']!, origin);
    const found = await events.walkBack(room.roomNid, idsOf(v, startsMax), {
      stopBefore: [],
      minDepth: 0,
      limit: Math.min(limit, backfillMax),
      withStart: true,
    });
    const newestFirst = found.toSorted((a, b) => byAge(b, a));
    return pdusAnswer(services, await view.pdus(room, origin, newestFirst));
  },
});

const MissingEvents = Type.Object({
  limit: Type.Optional(Type.Integer()),
  min_depth: Type.Optional(Type.Integer()),
  earliest_events: Type.Array(Type.String()),
  latest_events: Type.Array(Type.String()),
});

const getMissingEvents = declare({
  ...common,
  operation: 'getMissingPreviousEvents',
  method: 'POST',
  paths: ['/_matrix/federation/v1/get_missing_events/:roomId'],
  summary: 'Events between those that a server has and newer ones, oldest first',
  source: 'SS 1.19, getMissingPreviousEvents',
  body: MissingEvents,
  errors: ['M_FORBIDDEN', 'M_BAD_JSON', 'M_MISSING_PARAM'],
  async handle({ params, body, origin }, { access, events, view }) {
    const room = await access.room(params['roomId']!, origin);
    const earliest = idsOf(body.earliest_events, endsMax);
    const known = new Set(earliest);
    const latest = idsOf(body.latest_events, startsMax).filter((id) => !known.has(id));
    const limit = Math.max(0, Math.min(body.limit ?? missingDefault, missingMax));
    const found = await events.walkBack(room.roomNid, latest, {
      stopBefore: earliest,
      minDepth: body.min_depth ?? 0,
      limit,
      withStart: false,
    });
    const pdus = await view.pdus(room, origin, found.toSorted(byAge));
    return new JsonText(`{"events":[${pdus.join(',')}]}`);
  },
});

export const historyEndpoints = [backfill, getMissingEvents];
