import { MatrixError } from '../../kernel/errors.ts';
import { roomVersion, type RoomVersion } from '../../matrix/room-versions.ts';
import { randomLetters } from '../../kernel/random.ts';
import { isDuplicate, type Database } from '../../database/database.ts';
import { BatchFailed } from '../../streams/committer.ts';
import { reserveRoomNids } from '../store/append-events.ts';
import { compose, signEvent } from './compose.ts';
import { eventCommit, type RoomCreation } from './commit-events.ts';
import { RoomHead } from './head.ts';
import type { CreateRequest, ProtoEvent } from './proto-event.ts';
import { internNames, type RoomWriterNeeds } from './room-writer.ts';

/** Room numbers fetched at once; unused ones are lost at a restart, which costs nothing. */
const reservedNids = 50;
/** Letters of a room id's opaque part, as Synapse has. */
const opaqueIdLetters = 18;

/** Makes rooms. The room and its first events are stored in one transaction. */
export function createRoomCreator(needs: RoomWriterNeeds, database: Database) {
  let nids: number[] = [];

  async function nextNid(): Promise<number> {
    if (nids.length === 0) {
      const rows = await database.query(reserveRoomNids, [reservedNids]);
      nids.push(...rows.map((row) => row.nid));
    }
    return nids.shift()!;
  }

  function roomIdOf(version: RoomVersion, create: ProtoEvent): string {
    if (!version.roomIdIsCreateHash) {
      return `!${randomLetters(opaqueIdLetters)}:${needs.serverName}`;
    }
    // MSC4291: the room id is the create event's reference hash.
    const { eventId } = signEvent(
      version,
      {
        sender: create.sender,
        type: create.type,
        state_key: '',
        content: create.content,
        origin_server_ts: create.originServerTs!,
        depth: 1,
        prev_events: [],
        auth_events: [],
      },
      needs,
    );
    return `!${eventId.slice(1)}`;
  }

  async function attempt(
    roomId: string,
    version: RoomVersion,
    protos: readonly ProtoEvent[],
    creation: RoomCreation,
    alone: boolean,
  ): Promise<void> {
    const row = {
      roomNid: await nextNid(),
      roomId,
      roomVersion: version.id,
      joinedCount: 0,
      invitedCount: 0,
      isBlocked: false,
    };
    const head = new RoomHead(row, version, false);
    const { serverName, signingKey, interned } = needs;
    const at = { serverName, signingKey, interned, now: creation.createdTs };
    const events = protos.map((proto) => compose(head, proto, at, null));
    needs.heads.add(head);
    try {
      await needs.committer.commit(eventCommit, { head, events, creation }, { alone });
    } catch (error) {
      needs.heads.drop(head);
      throw isDuplicate(error, 'room_aliases_pkey')
        ? new MatrixError('M_ROOM_IN_USE', `The alias ${creation.alias} is taken`)
        : error;
    } finally {
      needs.heads.unpin(head);
    }
  }

  /** Resolves with the room's id when everything is on disk. Throws `MatrixError`. */
  return async function create(request: CreateRequest): Promise<string> {
    const version = roomVersion(request.roomVersion);
    const now = needs.clock.now();
    const createEvent: ProtoEvent = {
      sender: request.creator,
      type: 'm.room.create',
      stateKey: '',
      content: {
        ...request.createContent,
        ...(version.implicitRoomCreator ? {} : { creator: request.creator }),
        room_version: version.id,
      },
      originServerTs: now,
    };
    const protos = [createEvent, ...request.events];
    await internNames(needs.interned, protos);
    const creation = {
      createdTs: now,
      isPublic: request.isPublic,
      alias: request.alias,
      creatorNid: needs.interned.cachedUser(request.creator)!,
    };
    const roomId = roomIdOf(version, createEvent);
    try {
      await attempt(roomId, version, protos, creation, false);
    } catch (error) {
      if (!(error instanceof BatchFailed)) throw error;
      await attempt(roomId, version, protos, creation, true);
    }
    return roomId;
  };
}
