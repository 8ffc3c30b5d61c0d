import type { Clock } from '../../kernel/clock.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { emptyFilter } from '../../matrix/filters/filter.ts';
import { clientEventJson, placeBefore, strippedEventJson } from '../../rooms/module.ts';
import { receiptEventJson } from '../../receipts/module.ts';
import { positionOf, type Bus } from '../../streams/bus.ts';
import { formatPlace, formatPosition } from '../../streams/position.ts';
import type { SyncReader } from '../engine.ts';
import type { RoomLoader } from '../load-rooms.ts';
import { joinedPlan, newPlan, type PlanOptions, type RoomPlan } from '../plan.ts';
import type { SyncSources } from '../sources.ts';
import type { RoomOfUser } from '../views/user-view.ts';
import type { SyncViews } from '../views/views.ts';
import { isHiddenInvite, unwantedInviters } from '../hidden-invites.ts';
import { entriesJson } from '../write-rooms.ts';

export interface OldSyncNeeds {
  bus: Bus;
  clock: Clock;
  views: SyncViews;
  loader: RoomLoader;
  sources: SyncSources;
}

export interface OldSyncOptions {
  /** Messages of each room. */
  limit: number;
  /** Rooms that the user has left are shown too. */
  includesLeft: boolean;
  /** The user is not in the rooms and looks into them. */
  isPreview?: boolean;
}

/** Rooms read together; bounds the memory of an answer. */
const roomsAtOnce = 100;

function planOf(room: RoomOfUser, options: PlanOptions): RoomPlan {
  if (room.membership === 'join') return joinedPlan(room, options);
  const isStripped = room.membership === 'invite' || room.membership === 'knock';
  return newPlan(room, {
    section: isStripped ? (room.membership as 'invite' | 'knock') : 'leave',
    afterPos: -1,
    uptoPos: room.pos,
    isNew: true,
    events: isStripped ? [] : null,
  });
}

/** A room as for somebody who has left it just now. */
const previewOf = (
  { roomNid, roomId, roomVersion }: Pick<RoomOfUser, 'roomNid' | 'roomId' | 'roomVersion'>,
  pos: number,
): RoomOfUser => ({
  roomNid,
  roomId,
  roomVersion,
  membership: 'leave',
  pos,
  senderNid: 0,
  joinedPos: 0,
  isJoinedPosExact: true,
  wasJoined: false,
  isForgotten: false,
  view: null,
});

/**
 * Snapshots in the form of before `/sync`: `/initialSync` and `/rooms/{id}/initialSync`.
 * Source: client-server spec r0.0.0 and the deprecated endpoints of later versions.
 */
export function createOldSync(needs: OldSyncNeeds) {
  const { bus, views, sources } = needs;

  async function roomsJson(
    reader: SyncReader,
    rooms: readonly RoomOfUser[],
    { limit, isPreview = false }: OldSyncOptions,
  ): Promise<string[]> {
    const options: PlanOptions = {
      since: null,
      uptoPos: bus.position(),
      timelineLimit: limit,
      includeLeave: true,
      fullState: true,
      wantsRoom: () => true,
    };
    const plans = rooms.map((room) => planOf(room, options));
    const joined = rooms.filter((room) => room.view !== null);
    const [data, receipts, unwanted] = await Promise.all([
      sources.accountData.changes(reader.userNid, -1),
      sources.receipts.changed(
        joined.map(({ roomNid }) => ({ roomNid, afterPos: -1 })),
        options.uptoPos,
        reader.userNid,
      ),
      unwantedInviters(sources, reader.userNid),
    ]);
    await needs.loader.load(plans, {
      user: reader,
      timelineLimit: limit,
      timelineFilter: emptyFilter.room.timeline,
      timelineMatch: null,
      stateFilter: emptyFilter.room.state,
      ignoredUsers: unwanted.ignored,
      stateAfter: true,
      fullState: true,
      isIncremental: false,
      lazyMembers: null,
      isPreview,
    });
    const shown = plans.filter((plan) => !isHiddenInvite(plan, reader.userId, unwanted));
    return shown.map((plan) => {
      const { roomNid } = plan.room;
      const own = receipts.get(roomNid) ?? [];
      return roomJson(plan, reader, {
        membership: isPreview ? null : plan.room.membership,
        accountData: entriesJson(data.rooms.get(roomNid) ?? []),
        receipts: own.length === 0 ? '' : receiptEventJson(own),
      });
    });
  }

  function roomJson(
    plan: RoomPlan,
    reader: SyncReader,
    extras: { membership: string | null; accountData: string; receipts: string },
  ): string {
    const { roomId } = plan.room;
    const { membership } = extras;
    const own = membership === null ? '' : `,"membership":${JSON.stringify(membership)}`;
    const head = `{"room_id":${JSON.stringify(roomId)}${own}`;
    if (plan.section === 'invite' || plan.section === 'knock') {
      const own = plan.state.find((event) => event.stateKey === reader.userId);
      const invite = own ? `,"invite":${strippedEventJson(own)}` : '';
      return `${head}${invite},"state":[${plan.state.map(strippedEventJson).join(',')}]}`;
    }
    const now = needs.clock.now();
    const { userNid: senderNid, deviceNid } = reader;
    const write = (event: RoomPlan['state'][number]) =>
      clientEventJson(event, { roomId, now, senderNid, deviceNid });
    const events = plan.events!;
    const start = events[0] ? placeBefore(events[0]) : { pos: plan.uptoPos, sub: 0 };
    // From there `/events` goes on as well.
    const end = formatPosition({ ...positionOf(bus), durable: plan.uptoPos });
    const messages = `{"start":"${formatPlace(start)}","end":"${end}","chunk":[${events.map(write).join(',')}]}`;
    return (
      `${head},"messages":${messages},"state":[${plan.state.map(write).join(',')}],` +
      `"account_data":[${extras.accountData}],"receipts":[${extras.receipts}],"presence":[]}`
    );
  }

  return {
    /** The whole snapshot, piece by piece. */
    async *initialSync(reader: SyncReader, options: OldSyncOptions): AsyncGenerator<string> {
      await bus.caughtUp();
      const user = await views.acquire(reader.userNid, reader.userId);
      try {
        const end = positionOf(bus);
        const data = await sources.accountData.changes(reader.userNid, -1);
        const presence = await sources.presence.changes(reader, null);
        yield `{"end":"${formatPosition(end)}","presence":[${presence.map(({ json }) => json).join(',')}],"receipts":[],"account_data":[${entriesJson(data.global)}],"rooms":[`;
        const rooms = [...user.rooms.values()].filter(
          (room) =>
            !room.isForgotten &&
            (options.includesLeft || !['leave', 'ban'].includes(room.membership)),
        );
        for (let i = 0; i < rooms.length; i += roomsAtOnce) {
          // One after the other on purpose: memory is bounded by what is being written.
          // oxlint-disable-next-line no-await-in-loop
          const texts = await roomsJson(reader, rooms.slice(i, i + roomsAtOnce), options);
          yield `${i > 0 ? ',' : ''}${texts.join(',')}`;
        }
        yield ']}';
      } finally {
        views.release(user);
      }
    },
    /** One room of it. Throws M_FORBIDDEN for a room that the user has not been in and may not look into. */
    async roomInitialSync(reader: SyncReader, roomId: string, limit: number): Promise<string> {
      await bus.caughtUp();
      const user = await views.acquire(reader.userNid, reader.userId);
      try {
        const options = { limit, includesLeft: true };
        const own = [...user.rooms.values()].find((room) => room.roomId === roomId);
        if (own && !own.isForgotten) return (await roomsJson(reader, [own], options))[0]!;
        const found = await sources.worldReadable(roomId, reader);
        if (!found) {
          throw new MatrixError('M_FORBIDDEN', `User ${reader.userId} not in room ${roomId}`);
        }
        const room = previewOf(found, bus.position());
        return (await roomsJson(reader, [room], { ...options, isPreview: true }))[0]!;
      } finally {
        views.release(user);
      }
    },
  };
}

export type OldSync = ReturnType<typeof createOldSync>;
