import type { Database } from '../database/database.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { Bus } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { createForeignRooms, type ForeignRooms } from './foreign-rooms.ts';
import { createAccessStore } from './store/access.ts';
import { withEventNames } from './store/event-names.ts';
import { createForkStore } from './store/fork-events.ts';
import { createHistoryStore, type HistoryStore } from './store/history.ts';
import { createInterned, type Interned } from './store/interned.ts';
import { createHeadStore } from './store/load-head.ts';
import { createOutlierStore, type OutlierStore } from './store/outliers.ts';
import { createTransactionStore } from './store/transactions.ts';
import { createAdopter } from './writer/adopt.ts';
import { createHeadCache } from './writer/head-cache.ts';
import type { PolicyInForce, PolicyServers } from './writer/policy-servers.ts';
import type { ReceivedEvent, ReceiveRequest } from './writer/proto-event.ts';
import { createReceiver } from './writer/receive.ts';
import type { RoomWriter } from './writer/shared-writer.ts';

/** Rooms of another homeserver of the same name, taken over with their history. */
export interface RoomImporter {
  interned: Interned;
  /** `ensureRoom`, and what is current in rooms. */
  outliers: Pick<OutlierStore, 'ensureRoom' | 'currentEntries'>;
  /** `adopt`: a room from the join of a user of this server on; `keepOutliers`, `takeStray`. */
  foreign: Pick<ForeignRooms, 'adopt' | 'fillGap' | 'keepOutliers' | 'takeStray'>;
  history: HistoryStore;
  /**
   * Stores events in their order, as if they came from other servers. Nobody is asked about them: those
   * of `softFailed` are soft-failed, as they were. Throws M_NOT_FOUND.
   */
  receive(request: ReceiveRequest, softFailed: ReadonlySet<string>): Promise<ReceivedEvent[]>;
}

export interface RoomImporterNeeds {
  database: Database;
  bus: Bus;
  clock: Clock;
  serverName: string;
  signingKey: SigningKey;
}

const headCacheBytes = 64 * 1024 * 1024;

/** Stands for what the other homeserver made of events. */
function createPriorVerdicts() {
  let softFailed: ReadonlySet<string> = new Set();
  const verdict: PolicyInForce = { eventId: '', via: '', publicKey: '' };
  const policies: PolicyServers = {
    current: () => (softFailed.size > 0 ? verdict : null),
    find: async () => {},
    async sign(_version, event) {
      if (softFailed.has(event.eventId)) throw new MatrixError('M_FORBIDDEN', 'it was soft-failed');
      return event;
    },
  };
  return {
    policies,
    async under<T>(ids: ReadonlySet<string>, work: () => Promise<T>): Promise<T> {
      softFailed = ids;
      return work();
    },
  };
}

/** For a process that does nothing else: one room after the other. */
export function createRoomImporter(needs: RoomImporterNeeds): RoomImporter {
  const { database, bus, clock, serverName, signingKey } = needs;
  const interned = createInterned(database);
  const named = withEventNames(database, interned);
  const headStore = createHeadStore(named);
  const outliers = createOutlierStore(database);
  const history = createHistoryStore(database);
  const prior = createPriorVerdicts();
  const writerNeeds = {
    committer: createCommitter(database, bus),
    heads: createHeadCache(headStore, headCacheBytes),
    headStore,
    transactions: createTransactionStore(database),
    interned,
    clock,
    serverName,
    signingKey,
    policies: prior.policies,
    forks: createForkStore(named),
  };
  const receive = createReceiver(writerNeeds);
  const adopter = createAdopter({ ...writerNeeds, outliers, history });
  const writer: Pick<RoomWriter, 'adopt' | 'takeStray'> = {
    adopt: async (request) => void (await adopter.adopt(request, null)),
    takeStray: async (request) => void (await adopter.takeStray(request, null)),
  };
  return {
    interned,
    outliers,
    foreign: createForeignRooms({
      outliers,
      interned,
      history,
      clock,
      members: createAccessStore(database),
      writer,
    }),
    history,
    receive: (request, softFailed) => prior.under(softFailed, () => receive(request, null)),
  };
}
