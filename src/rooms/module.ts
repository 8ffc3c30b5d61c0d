import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Roles } from '../cluster/role.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import type { Database } from '../database/database.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { Questions } from '../federation-client/questions.ts';
import type { SigningKey } from '../matrix/signing.ts';
import { adminUserEndpoints } from './endpoints/admin-users.ts';
import { creationEndpoints } from './endpoints/creation.ts';
import { directoryEndpoints } from './endpoints/directory.ts';
import { membershipEndpoints } from './endpoints/membership.ts';
import { publicRoomsEndpoints } from './endpoints/public-rooms.ts';
import { sendingEndpoints } from './endpoints/sending.ts';
import { stateEndpoints } from './endpoints/state.ts';
import { timelineEndpoints } from './endpoints/timeline.ts';
import { announcedAliases } from './announced-aliases.ts';
import type { Aggregations } from './aggregations.ts';
import { createBlocks } from './blocks.ts';
import type { ErasedAmong } from './erasure.ts';
import type { RoomsEnvironment, RoomDataCarrier } from './needs.ts';
import { createJoinedRooms } from './joined-rooms.ts';
import { createForeignRooms } from './foreign-rooms.ts';
import { createEventReader } from './recover-events.ts';
import { createRemoteDirectory } from './remote-directory.ts';
import { createRetention } from './retention.ts';
import { createRoomAccess } from './room-access.ts';
import { createRoomServers } from './room-servers.ts';
import { createServerAcls } from './server-acls.ts';
import type { RoomServices } from './services.ts';
import { eventStream, removedRoomStream } from './streams.ts';
import { withStateCache } from './state-cache.ts';
import { createAccessStore } from './store/access.ts';
import { createBlockStore } from './store/blocks.ts';
import { createAliasStore } from './store/aliases.ts';
import { createAppserviceDirectoryStore } from './store/appservice-directories.ts';
import { createDirectoryStore } from './store/directory.ts';
import { createForkStore } from './store/fork-events.ts';
import { withEventNames } from './store/event-names.ts';
import type { Interned } from './store/interned.ts';
import { createHistoryStore } from './store/history.ts';
import { createPduStore } from './store/pdus.ts';
import { createOutlierStore } from './store/outliers.ts';
import { createNewRelationStore } from './store/new-relation.ts';
import { createHeadStore } from './store/load-head.ts';
import { createRemovedRoomStore } from './store/removed-rooms.ts';
import { createRetentionStore } from './store/retention.ts';
import { createRoomServerStore } from './store/room-servers.ts';
import { createEventStreamStore } from './store/read-stream.ts';
import { createStateStore } from './store/read-state.ts';
import { createTimelineStore } from './store/read-timeline.ts';
import { createTransactionStore } from './store/transactions.ts';
import { createTransactions } from './transactions.ts';
import { createUserFactStore } from './store/user-facts.ts';
import { deceiveShadowBanned } from './shadow-ban.ts';
import { createAdopter } from './writer/adopt.ts';
import { createHeadCache } from './writer/head-cache.ts';
import { createRoomCreator } from './writer/create.ts';
import { createPolicyServers } from './writer/policy-servers.ts';
import { createMaintainer } from './writer/maintain.ts';
import { createReceiver } from './writer/receive.ts';
import { createLocalRoomWriter } from './writer/room-writer.ts';
import { createRoomWriter } from './writer/shared-writer.ts';

export {
  describingTypes,
  endless,
  eventColumns,
  memberTypeNid,
  membershipIn,
  nameJoins,
  stateContents,
} from './store/columns.ts';
export { withEventNames } from './store/event-names.ts';
export {
  afterRedaction,
  clientEventJson,
  contentOf,
  federationEventJson,
  strippedEventJson,
} from './stored-event.ts';
export type { ClientFormat, Envelope, StoredEvent } from './stored-event.ts';
export {
  aliasStream,
  eventStream,
  forgottenRoomStream,
  purgedHistoryStream,
  removedRoomStream,
} from './streams.ts';
export type { EventRow, MembershipChange } from './streams.ts';
export { erasedAmongEvents, redactedCopies, type ErasedAmong } from './erasure.ts';
export { isExpired, withoutExpired, type Retention, type ShownSince } from './retention.ts';
export { visibilityFor, withoutSenders } from './visibility.ts';
export type { PositionRange, Visibility } from './visibility.ts';
export { entryHistory, type EntryHistory } from './entry-history.ts';
export { visibilityHistory, type HistoryRow } from './store/visibility-history.ts';
export { timelineMatchOf } from './event-filter.ts';
export {
  matchCondition,
  matchParameters,
  type MatchParameters,
  type TimelineMatch,
} from './store/read-timeline.ts';
export { createStickyEventStore, type StickyEventStore } from './store/sticky-events.ts';
export { createNamedMedia } from './store/named-media.ts';
export { createInterned } from './store/interned.ts';
export type { Interned } from './store/interned.ts';
export { readableState, readableTimeline, wholeTimeline, worldReadable } from './read-access.ts';
export {
  contextAnswer,
  contextQuery,
  messagesAnswer,
  messagesQuery,
  nearestAnswer,
} from './timeline-answers.ts';
export {
  locateAlias,
  locateEntrance,
  locateRoom,
  resolveRoom,
  type LocatedRoom,
} from './locate-room.ts';
export { summaryOf, type RoomSummary } from './public-rooms.ts';
export { authoriserForOther, roomsAllowed } from './restricted-join.ts';
export { predecessorIn } from './predecessor.ts';
export type { Aggregations, PageOfEvents } from './aggregations.ts';
export { relationIn, relationOf, type Relation } from './relation.ts';
export {
  createEventWriter,
  parseFilterParameter,
  placeParameter,
  readContext,
} from './timeline-page.ts';
export { placeBefore } from './read-page.ts';
export type { HistoryGap, KnownBefore } from './store/history.ts';
export { checkMayInvite } from './invite-checks.ts';
export * as membership from './membership.ts';
export { createRoom } from './create-room.ts';
export { updateMemberProfiles } from './member-profiles.ts';
export type { RoomServices } from './services.ts';
export { eventWriterRole } from './writer/shared-writer.ts';
export type { JoinedRooms } from './joined-rooms.ts';
export { strayState } from './stray-state.ts';
export type { ForeignRoom, ForeignRooms, JudgedEvent, Stray } from './foreign-rooms.ts';
export { createRoomImporter, type RoomImporter } from './importer.ts';
export type { EventTemplate } from './writer/compose.ts';
export type { ProtoEvent, ReceivedEvent } from './writer/proto-event.ts';
export type { RoomServers } from './room-servers.ts';
export type { ServerAcls } from './server-acls.ts';
export type { RoomAccess, RoomAccessCache } from './room-access.ts';
export type {
  Actor,
  AppserviceAliases,
  Elsewhere,
  KnownRoom,
  NearestWish,
  Profiles,
  RoomsConfig,
  DirectoryRule,
  RoomDataCarrier,
  DelayWish,
  ThreepidInvite,
} from './needs.ts';

export interface RoomsNeeds extends RoomsEnvironment {
  database: Database;
  committer: Committer;
  bus: Bus;
  roles: Roles;
  interned: Interned;
  signingKey: SigningKey;
  /** To directories of other servers. */
  questions: Questions;
  /** To policy servers. */
  federation: Pick<FederationClient, 'request'>;
  /** Memory for the heads of rooms that are being written to, in bytes. */
  headCacheBytes: number;
  roomData: RoomDataCarrier;
  aggregations: Aggregations;
  /** Accounts know. */
  erasedAmong: ErasedAmong;
}

export interface Rooms {
  services: RoomServices;
  endpoints: Endpoint[];
  /** Forgets transaction ids from before a time in milliseconds since 1970. */
  forgetTransactions(beforeTs: number): Promise<void>;
}

/** Rooms: events, state, members, aliases and the directory. */
export function createRooms(needs: RoomsNeeds): Rooms {
  const { database, committer, bus, interned, signingKey, clock, config, profiles } = needs;
  const { roles, roomData, aggregations } = needs;
  const transactionStore = createTransactionStore(database);
  const named = withEventNames(database, interned);
  const headStore = createHeadStore(named);
  bus.recoverWith(eventStream, createEventReader(createEventStreamStore(named)));
  const removed = createRemovedRoomStore(database);
  bus.recoverWith(removedRoomStream, async (afterPos, uptoPos) =>
    (await removed.between(afterPos, uptoPos)).map(({ pos, roomNid, roomId }) => ({
      pos,
      row: { roomNid, roomId },
    })),
  );
  const heads = createHeadCache(headStore, needs.headCacheBytes);
  const writerNeeds = {
    committer,
    heads,
    headStore,
    transactions: transactionStore,
    interned,
    clock,
    serverName: config.serverName,
    signingKey,
    policies: createPolicyServers({ federation: needs.federation, heads, headStore, clock }),
  };
  const members = createAccessStore(database);
  const forks = createForkStore(named);
  const outliers = createOutlierStore(database);
  const stateStore = createStateStore(named);
  const history = createHistoryStore(database);
  const writer = createRoomWriter(
    { roles, bus, clock, serverName: config.serverName, signingKey },
    {
      ...createLocalRoomWriter(writerNeeds),
      create: createRoomCreator(writerNeeds, database),
      receive: createReceiver({ ...writerNeeds, forks }),
      ...createAdopter({ ...writerNeeds, forks, outliers, history }),
      ...createMaintainer({ ...writerNeeds, removed }),
    },
  );
  const services: RoomServices = {
    clock,
    config,
    profiles,
    inviteChecks: needs.inviteChecks,
    appserviceAliases: needs.appserviceAliases,
    elsewhere: needs.elsewhere,
    forgotten: needs.forgotten,
    limits: needs.limits,
    inviteByThreepid: needs.inviteByThreepid,
    delayEvent: needs.delayEvent,
    ignoredUsers: needs.ignoredUsers,
    bus,
    writer,
    blocks: createBlocks(createBlockStore(database), writer, clock),
    removed,
    retention: createRetention({
      config: config.retention,
      store: createRetentionStore(database),
      bus,
      clock,
    }),
    heads: headStore,
    create: (request) => writer.create(request),
    access: createRoomAccess(members, bus),
    members,
    joinedRooms: createJoinedRooms(members, bus),
    foreign: createForeignRooms({ outliers, interned, history, clock, members, writer }),
    pdus: createPduStore(database),
    history,
    servers: createRoomServers(createRoomServerStore(database), bus),
    serverAcls: createServerAcls(stateStore, bus),
    states: withStateCache(stateStore, bus),
    timeline: createTimelineStore(named),
    aliases: announcedAliases(createAliasStore(database), bus),
    directory: createDirectoryStore(database),
    remoteDirectory: createRemoteDirectory(needs.questions),
    appserviceDirectories: createAppserviceDirectoryStore(database),
    interned,
    transactions: createTransactions(transactionStore),
    roomData,
    aggregations,
    erasedAmong: needs.erasedAmong,
    newRelations: createNewRelationStore(database),
    userFacts: createUserFactStore(named),
  };
  const declared = [
    ...creationEndpoints,
    ...membershipEndpoints,
    ...sendingEndpoints,
    ...stateEndpoints,
    ...timelineEndpoints,
    ...directoryEndpoints,
    ...publicRoomsEndpoints,
    ...adminUserEndpoints,
  ];
  return {
    services,
    endpoints: deceiveShadowBanned(bindEndpoints(declared, services), services),
    forgetTransactions: (beforeTs) => transactionStore.deleteBefore(beforeTs),
  };
}
