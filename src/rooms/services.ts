import type { CreateRequest } from './writer/proto-event.ts';
import type { RoomWriter } from './writer/shared-writer.ts';
import type { Aggregations } from './aggregations.ts';
import type { ErasedAmong } from './erasure.ts';
import type { RoomsEnvironment, RoomDataCarrier } from './needs.ts';
import type { JoinedRooms } from './joined-rooms.ts';
import type { RemoteDirectory } from './remote-directory.ts';
import type { RoomAccessCache } from './room-access.ts';
import type { ForeignRooms } from './foreign-rooms.ts';
import type { RoomServers } from './room-servers.ts';
import type { ServerAcls } from './server-acls.ts';
import type { AccessStore } from './store/access.ts';
import type { AliasStore } from './store/aliases.ts';
import type { AppserviceDirectoryStore } from './store/appservice-directories.ts';
import type { DirectoryStore } from './store/directory.ts';
import type { HistoryStore } from './store/history.ts';
import type { PduStore } from './store/pdus.ts';
import type { NewRelationStore } from './store/new-relation.ts';
import type { Interned } from './store/interned.ts';
import type { RoomStates } from './state-cache.ts';
import type { TimelineStore } from './store/read-timeline.ts';
import type { Transactions } from './transactions.ts';
import type { UserFactStore } from './store/user-facts.ts';
import type { Bus } from '../streams/bus.ts';

/** What the operations on rooms are made of; the module puts it together. */
export interface RoomServices extends RoomsEnvironment {
  bus: Bus;
  writer: RoomWriter;
  /** Makes a room in one transaction; gives its id. */
  create(request: CreateRequest): Promise<string>;
  access: RoomAccessCache;
  members: AccessStore;
  joinedRooms: JoinedRooms;
  servers: RoomServers;
  pdus: PduStore;
  history: HistoryStore;
  foreign: ForeignRooms;
  serverAcls: ServerAcls;
  states: RoomStates;
  timeline: TimelineStore;
  aliases: AliasStore;
  directory: DirectoryStore;
  remoteDirectory: RemoteDirectory;
  appserviceDirectories: AppserviceDirectoryStore;
  interned: Interned;
  transactions: Transactions;
  newRelations: NewRelationStore;
  roomData: RoomDataCarrier;
  aggregations: Aggregations;
  erasedAmong: ErasedAmong;
  userFacts: UserFactStore;
}
