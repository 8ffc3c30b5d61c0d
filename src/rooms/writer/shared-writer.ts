import { defineRole, type Roles } from '../../cluster/role.ts';
import type { Fence } from '../../database/fence.ts';
import type { Clock } from '../../kernel/clock.ts';
import { randomLetters } from '../../kernel/random.ts';
import type { SigningKey } from '../../matrix/signing.ts';
import type { Bus } from '../../streams/bus.ts';
import type { AdoptRequest, Adopter, StrayRequest } from './adopt.ts';
import type { EventTemplate } from './compose.ts';
import { planRoom, type CreatedPos, type RoomPlan } from './create.ts';
import type {
  AppendedEvent,
  AppendRequest,
  CreateRequest,
  ProtoEvent,
  ReceivedEvent,
  ReceiveRequest,
} from './proto-event.ts';
import type { Receive } from './receive.ts';
import type { Maintainer, RemoveRequest } from './maintain.ts';
import type { LocalRoomWriter } from './room-writer.ts';

type WriterMethods = {
  append(request: AppendRequest, fence: Fence | null): Promise<AppendedEvent[]>;
  allows(question: { roomId: string; event: ProtoEvent }, fence: Fence | null): Promise<boolean>;
  create(plan: RoomPlan, fence: Fence | null): Promise<CreatedPos>;
  receive: Receive;
  template(
    question: { roomId: string; event: ProtoEvent },
    fence: Fence | null,
  ): Promise<EventTemplate>;
  adopt: Adopter['adopt'];
  takeStray: Adopter['takeStray'];
  remove: Maintainer['remove'];
  refresh: Maintainer['refresh'];
  pruneExtremities: Maintainer['pruneExtremities'];
};

/** Event writers, by room. The shards are many, so that many writers get fair shares. */
export const eventWriterRole = defineRole<WriterMethods>('events', 64);

/** Writes to any room, through the process that is its writer. */
export interface RoomWriter {
  /**
   * Authorises, builds and stores the events. Resolves when they are on disk and readers here have
   * them. Throws `MatrixError`: M_NOT_FOUND for an unknown room, M_FORBIDDEN, M_BAD_JSON, M_TOO_LARGE.
   */
  append(request: AppendRequest): Promise<AppendedEvent[]>;
  /** Whether the room's rules would let the event in now. */
  allows(roomId: string, event: ProtoEvent): Promise<boolean>;
  /**
   * Takes in events of other servers, wherever in the room's graph they stand. Resolves when they are
   * on disk and readers here have them. Throws M_NOT_FOUND for an unknown room.
   */
  receive(request: ReceiveRequest): Promise<ReceivedEvent[]>;
  /** Makes a room in one transaction; gives its id. */
  create(request: CreateRequest): Promise<string>;
  /** The event as it would be now, for another server to sign. Throws M_NOT_FOUND, M_FORBIDDEN. */
  template(roomId: string, event: ProtoEvent): Promise<EventTemplate>;
  /** Enters a room of other servers with a join. Throws M_NOT_FOUND for an unknown room. */
  adopt(request: AdoptRequest): Promise<void>;
  /** Stores a membership in a room that this server is not in. Throws M_NOT_FOUND. */
  takeStray(request: StrayRequest): Promise<void>;
  /** As in Maintainer; resolves when readers here know. */
  remove(request: RemoveRequest): Promise<void>;
  refresh(roomId: string): Promise<void>;
  pruneExtremities(roomId: string): Promise<number>;
}

export interface SharedWriterNeeds {
  roles: Roles;
  bus: Bus;
  clock: Clock;
  serverName: string;
  signingKey: SigningKey;
}

const callIdLetters = 20;

/** A call that may be made twice, to two writers, has its effect once. */
const repeatable = (request: AppendRequest): AppendRequest =>
  request.transaction
    ? request
    : {
        ...request,
        transaction: { deviceNid: null, txnId: randomLetters(callIdLetters), scope: 'call' },
      };

/** Serves this process's share of the rooms, and reaches the others'. */
export function createRoomWriter(
  needs: SharedWriterNeeds,
  local: LocalRoomWriter & Adopter & Maintainer & Pick<WriterMethods, 'create' | 'receive'>,
): RoomWriter {
  const { roles, bus } = needs;
  let lastCreatedTs = 0;
  roles.serve(eventWriterRole, {
    methods: {
      append: (request, fence) => local.append(request, fence),
      allows: ({ roomId, event }, fence) => local.allows(roomId, event, fence),
      create: (plan, fence) => local.create(plan, fence),
      receive: (request, fence) => local.receive(request, fence),
      template: ({ roomId, event }, fence) => local.template(roomId, event, fence),
      adopt: (request, fence) => local.adopt(request, fence),
      takeStray: (request, fence) => local.takeStray(request, fence),
      remove: (request, fence) => local.remove(request, fence),
      refresh: (request, fence) => local.refresh(request, fence),
      pruneExtremities: (request, fence) => local.pruneExtremities(request, fence),
    },
  });

  return {
    async append(request) {
      const { roomId } = request;
      const wanted = roles.holds(eventWriterRole, roomId) ? request : repeatable(request);
      const appended = await roles.call(eventWriterRole, roomId, 'append', wanted);
      const last = appended.at(-1)?.pos;
      if (last) await bus.reached(last);
      return appended;
    },
    async receive(request) {
      const received = await roles.call(eventWriterRole, request.roomId, 'receive', request);
      const last = received.findLast(({ pos }) => pos !== null)?.pos;
      if (last) await bus.reached(last);
      return received;
    },
    template: (roomId, event) => roles.call(eventWriterRole, roomId, 'template', { roomId, event }),
    async adopt(request) {
      await bus.reached(await roles.call(eventWriterRole, request.roomId, 'adopt', request));
    },
    async takeStray(request) {
      await bus.reached(await roles.call(eventWriterRole, request.roomId, 'takeStray', request));
    },
    async remove(request) {
      const pos = await roles.call(eventWriterRole, request.roomId, 'remove', request);
      if (pos !== null) await bus.reached(pos);
    },
    async refresh(roomId) {
      await roles.call(eventWriterRole, roomId, 'refresh', { roomId });
    },
    pruneExtremities: (roomId) =>
      roles.call(eventWriterRole, roomId, 'pruneExtremities', { roomId }),
    allows: (roomId, event) => roles.call(eventWriterRole, roomId, 'allows', { roomId, event }),
    async create(request) {
      const suits = (roomId: string) => roles.holds(eventWriterRole, roomId);
      for (;;) {
        // Where the id is a hash, two rooms of one user in one millisecond would be the same room;
        // and another process may have made one just then.
        lastCreatedTs = Math.max(needs.clock.now(), lastCreatedTs + 1);
        const plan = planRoom(request, lastCreatedTs, needs, suits);
        // oxlint-disable-next-line no-await-in-loop
        const pos = await roles.call(eventWriterRole, plan.roomId, 'create', plan);
        if (pos === 'taken') continue;
        // oxlint-disable-next-line no-await-in-loop
        if (pos !== null) await bus.reached(pos);
        return plan.roomId;
      }
    },
  };
}
