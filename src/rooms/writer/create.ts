import { Deadline } from '../../kernel/deadline.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { inGroups } from '../../kernel/in-groups.ts';
import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { roomVersion } from '../../matrix/room-versions.ts';
import type { SigningKey } from '../../matrix/signing.ts';
import type { Fence } from '../../database/fence.ts';
import { randomLetters } from '../../kernel/random.ts';
import { isDuplicate, type Database } from '../../database/database.ts';
import { BatchFailed } from '../../streams/committer.ts';
import { reserveRoomNids } from '../store/append-events.ts';
import { buildNext, signEvent, type ComposeContext } from './compose.ts';
import { eventCommit } from './commit-events.ts';
import { HeadDraft } from './head-draft.ts';
import { RoomHead } from './head.ts';
import { besideMax, requestMsMax } from './policy-servers.ts';
import { isPolicyProto, type CreateRequest, type ProtoEvent } from './proto-event.ts';
import { checkNames, internNames, type RoomWriterNeeds } from './room-writer.ts';
import { takeIn } from './take-in.ts';

/** Room numbers fetched at once; unused ones are lost at a restart, which costs nothing. */
const reservedNids = 50;
/** Letters of a room id's opaque part, as Synapse has. */
const opaqueIdLetters = 18;
const planIdLetters = 20;

/** A room that is to be: plain data, from which every process makes the same one. */
export interface RoomPlan {
  request: CreateRequest;
  roomId: string;
  createdTs: number;
  /** Tells this plan from another that leads to the same room id. */
  planId: string;
}

/** The position of a new room's last event; null: made before. `taken`: the id is another's. */
export type CreatedPos = number | null | 'taken';

/** The room's first event. */
function createEventOf(request: CreateRequest, createdTs: number): ProtoEvent {
  const version = roomVersion(request.roomVersion);
  return {
    sender: request.creator,
    type: 'm.room.create',
    stateKey: '',
    content: {
      ...request.createContent,
      ...(version.implicitRoomCreator ? {} : { creator: request.creator }),
      room_version: version.id,
    },
    originServerTs: createdTs,
  };
}

/** Gives a new room its id. `suits` is asked about ids that are free to choose. */
export function planRoom(
  request: CreateRequest,
  createdTs: number,
  by: { serverName: string; signingKey: SigningKey },
  suits: (roomId: string) => boolean,
): RoomPlan {
  const version = roomVersion(request.roomVersion);
  const planId = randomLetters(planIdLetters);
  if (!version.roomIdIsCreateHash) {
    let roomId: string;
    let tries = 0;
    do roomId = `!${randomLetters(opaqueIdLetters)}:${by.serverName}`;
    while (!suits(roomId) && ++tries < idTriesMax);
    return { request, roomId, createdTs, planId };
  }
  // MSC4291: the room id is the create event's reference hash.
  const create = createEventOf(request, createdTs);
  const { eventId } = signEvent(
    version,
    {
      sender: create.sender,
      type: create.type,
      state_key: '',
      content: create.content,
      origin_server_ts: createdTs,
      depth: 1,
      prev_events: [],
      auth_events: [],
    },
    by,
  );
  return { request, roomId: `!${eventId.slice(1)}`, createdTs, planId };
}

/** Tries to find an id that suits, before one is taken that does not. */
const idTriesMax = 64;

/** What the first events of a room are made of, the same at each attempt. */
interface Prepared {
  protos: readonly ProtoEvent[];
  signed: BuiltEvent[] | null;
  at: ComposeContext;
  /** The room before its first event. */
  newHead(): RoomHead;
}

/** Makes rooms. The room and its first events are stored in one transaction. */
export function createRoomCreator(needs: RoomWriterNeeds, database: Database) {
  const { policies } = needs;
  let nids: number[] = [];

  async function nextNid(): Promise<number> {
    if (nids.length === 0) {
      const rows = await database.query(reserveRoomNids, [reservedNids]);
      nids.push(...rows.map((row) => row.nid));
    }
    return nids.shift()!;
  }

  /**
   * Builds the first events of a room that may use a policy server from one of them on. Null: they
   * need nobody's signature but our own.
   */
  async function buildSigned(
    head: RoomHead,
    protos: readonly ProtoEvent[],
    at: ComposeContext,
  ): Promise<BuiltEvent[] | null> {
    if (!protos.some(isPolicyProto)) return null;
    const deadline = new Deadline(requestMsMax);
    const draft = new HeadDraft(head);
    const made = protos.map((proto) => {
      const policy = isPolicyProto(proto) ? null : policies.current(draft);
      const built = buildNext(draft, proto, at);
      takeIn(draft, built, at, null);
      return { built, policy };
    });
    return inGroups(made, besideMax, async ({ built, policy }) =>
      policy ? policies.sign(head.version, built, policy, deadline) : built,
    );
  }

  async function attempt(
    { request, createdTs, planId }: RoomPlan,
    { protos, signed, at, newHead }: Prepared,
    alone: boolean,
  ): Promise<CreatedPos> {
    const head = newHead();
    const { interned } = needs;
    const transaction = { deviceNid: null, txnId: planId, scope: 'create' };
    const events = protos.map((proto, i) => {
      const built = signed?.[i] ?? buildNext(head, proto, at);
      return takeIn(head, built, at, i === 0 ? transaction : null);
    });
    const { isPublic, alias, creator } = request;
    const creatorNid = interned.cachedUser(creator)!;
    const creation = { createdTs, isPublic, alias, creatorNid };
    needs.heads.add(head);
    try {
      const unit = { head, events, creation };
      const stored = await needs.committer.commit(eventCommit, unit, { alone });
      return stored.at(-1)!.stored.pos;
    } catch (error) {
      needs.heads.drop(head);
      if (isDuplicate(error, 'rooms_room_id_key')) {
        const { txnId, scope } = transaction;
        const key = { deviceNid: 0, txnId, scope };
        const made = await needs.transactions.appended(creatorNid, key, 1);
        // Made by a call whose answer was lost; or somebody else's room.
        return made.length > 0 ? null : 'taken';
      }
      throw isDuplicate(error, 'room_aliases_pkey')
        ? new MatrixError('M_ROOM_IN_USE', `The alias ${alias} is taken`)
        : error;
    } finally {
      needs.heads.unpin(head);
    }
  }

  /** Resolves when everything is on disk. Throws `MatrixError`. */
  return async function create(plan: RoomPlan, fence: Fence | null): Promise<CreatedPos> {
    const { roomId, request, createdTs } = plan;
    const protos = [createEventOf(request, createdTs), ...request.events];
    checkNames(protos);
    await internNames(needs.interned, protos);
    const version = roomVersion(request.roomVersion);
    const row = {
      roomNid: await nextNid(),
      roomId,
      roomVersion: version.id,
      joinedCount: 0,
      invitedCount: 0,
      isBlocked: false,
    };
    const newHead = () => new RoomHead(row, version, false, fence);
    const { serverName, signingKey, interned } = needs;
    const at = { serverName, signingKey, interned, now: createdTs };
    const signed = await buildSigned(newHead(), protos, at);
    const prepared = { protos, signed, at, newHead };
    try {
      return await attempt(plan, prepared, false);
    } catch (error) {
      if (!(error instanceof BatchFailed)) throw error;
      return attempt(plan, prepared, true);
    }
  };
}
