import {
  clientEventJson,
  redactedCopies,
  relationOf,
  type Aggregations,
  type ErasedAmong,
  type PageOfEvents,
  type StoredEvent,
} from '../rooms/module.ts';
import type { Clock } from '../kernel/clock.ts';
import type { AggregationStore, BundledRow, ParentWanted } from './store/aggregations.ts';

export interface AggregationNeeds {
  store: AggregationStore;
  clock: Clock;
  ignoredUsers(userNid: number): Promise<ReadonlySet<string>> | ReadonlySet<string>;
  userNidOf(userId: string): number | null | Promise<number | null>;
  erasedAmong: ErasedAmong;
}

interface Reader {
  userNid: number;
  deviceNid: number | null;
}

/** An edit has no edits of its own, nor have state events and what has been redacted. */
const mayBeEdited = (event: StoredEvent) =>
  event.stateKey === null &&
  event.redactedBy === null &&
  relationOf(event)?.relType !== 'm.replace';

const parentOf = (event: StoredEvent, uptoPos: number): ParentWanted => ({
  roomNid: event.roomNid,
  eventId: event.eventId,
  uptoPos,
  senderNid: event.senderNid,
  editTypeNid: mayBeEdited(event) ? event.typeNid : 0,
});

const membersJson = (members: readonly string[]) =>
  members.length > 0 ? `"m.relations":{${members.join(',')}}` : '';

/** Bundled aggregations (client-server spec, "Aggregations of child events"). */
export function createAggregations(needs: AggregationNeeds): Aggregations {
  const { store, clock } = needs;

  async function ignoredBy(userNid: number): Promise<number[]> {
    const ignored = await needs.ignoredUsers(userNid);
    const nids = await Promise.all([...ignored].map(async (userId) => needs.userNidOf(userId)));
    return nids.filter((nid) => nid !== null);
  }

  function writer(reader: Reader, rooms: ReadonlyMap<number, string | undefined>) {
    const now = clock.now();
    return (event: StoredEvent, unsigned = '') => {
      const roomId = rooms.get(event.roomNid);
      return clientEventJson(event, {
        ...(roomId === undefined ? {} : { roomId }),
        now,
        senderNid: reader.userNid,
        deviceNid: reader.deviceNid,
        unsigned,
      });
    };
  }

  async function editsOf(
    rows: readonly BundledRow[],
    uptoPos: ReadonlyMap<number, number>,
    readerNid: number,
    ignored: readonly number[],
  ): Promise<Map<string, BundledRow>> {
    if (rows.length === 0) return new Map();
    const parents = rows.map((row) => parentOf(row, uptoPos.get(row.roomNid)!));
    const found = await store.bundled(parents, readerNid, ignored);
    return new Map(found.filter((row) => row.kind === 'edit').map((row) => [row.parentId, row]));
  }

  /** What erased users have sent, for readers who were not joined then. */
  function copiesOf(pages: readonly PageOfEvents[], rows: readonly BundledRow[]) {
    const byRoom = Map.groupBy(rows, (row) => row.roomNid);
    return redactedCopies(
      needs.erasedAmong,
      pages.flatMap(({ roomNid, partly }) =>
        partly ? [{ ...partly, events: byRoom.get(roomNid) ?? [] }] : [],
      ),
    );
  }

  return {
    async of(pages, reader) {
      const result = new Map<string, string>();
      const parents = pages.flatMap(({ events, uptoPos = Number.MAX_SAFE_INTEGER }) =>
        events.filter(({ stateKey }) => stateKey === null).map((one) => parentOf(one, uptoPos)),
      );
      if (parents.length === 0) return result;
      const ignored = await ignoredBy(reader.userNid);
      const rows = await store.bundled(parents, reader.userNid, ignored);
      if (rows.length === 0) return result;

      const upto = new Map(
        pages.map((page) => [page.roomNid, page.uptoPos ?? Number.MAX_SAFE_INTEGER]),
      );
      const newest = rows.filter((row) => row.kind === 'thread');
      const edits = await editsOf(newest, upto, reader.userNid, ignored);
      const write = writer(reader, new Map(pages.map(idOfRoom)));
      const copies = await copiesOf(pages, [...rows, ...edits.values()]);
      const shown = (row: BundledRow): StoredEvent => copies.get(row) ?? row;
      const senders = new Map(parents.map((parent) => [parent.eventId, parent.senderNid]));
      for (const [parentId, bundled] of Map.groupBy(rows, (row) => row.parentId)) {
        const members: string[] = [];
        const references: string[] = [];
        for (const row of bundled) {
          if (row.kind === 'edit') members.push(`"m.replace":${write(shown(row))}`);
          else if (row.kind === 'reference') {
            references.push(`{"event_id":${JSON.stringify(row.eventId)}}`);
          } else {
            const edit = edits.get(row.eventId);
            const own = edit ? membersJson([`"m.replace":${write(shown(edit))}`]) : '';
            const participates = row.participates || senders.get(parentId) === reader.userNid;
            members.push(
              `"m.thread":{"count":${row.count},"current_user_participated":${participates},` +
                `"latest_event":${write(shown(row), own)}}`,
            );
          }
        }
        if (references.length > 0)
          members.push(`"m.reference":{"chunk":[${references.join(',')}]}`);
        result.set(parentId, membersJson(members));
      }
      return result;
    },
  };
}

const idOfRoom = ({ roomNid, roomId }: PageOfEvents) => [roomNid, roomId] as const;
