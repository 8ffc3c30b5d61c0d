import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import type { RateLimit } from '../http/rate-limit.ts';
import type { RateLimiter } from '../http/rate-limiter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { InvitePermissions } from '../matrix/invite-permissions.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { TimelinePlace } from '../streams/position.ts';
import type { TransactionKey } from './writer/proto-event.ts';

/** What rooms need of the configuration; option names of the file in brackets. */
export interface RoomsConfig {
  serverName: string;
  /** [default_room_version] */
  defaultRoomVersion: string;
  /** [encryption_enabled_by_default_for_room_type]: room presets that begin encrypted. */
  encryptedPresets: readonly string[];
  /** [allow_public_rooms_without_auth] */
  publicRoomsWithoutAuth: boolean;
  /** [allow_public_rooms_over_federation] */
  publicRoomsForServers: boolean;
  /** [enable_room_list_search] */
  isRoomListSearchEnabled: boolean;
  /** [alias_creation_rules], [room_list_publication_rules]: the first that matches decides. */
  aliasCreationRules: readonly DirectoryRule[];
  publicationRules: readonly DirectoryRule[];
  /** [experimental_features.msc4354_enabled]: events may be sticky. */
  hasStickyEvents: boolean;
  /** [rc_admin_redaction] is set: redactions of others' events have a limit of their own. */
  limitsRedactionsOfOthers: boolean;
  /** [retention]: how long messages of rooms without a policy are shown; null: it is off. */
  retention: { defaultMs: number | null } | null;
  /** [forget_rooms_on_leave] */
  forgetsRoomsOnLeave: boolean;
}

/** A rule of who may make an alias or publish a room. Patterns are globs. */
export interface DirectoryRule {
  userId: string;
  alias: string;
  roomId: string;
  action: 'allow' | 'deny';
}

/** The profile fields that member events carry. */
export interface MemberProfile {
  displayname?: string;
  avatar_url?: string;
}

/** What rooms ask of accounts. */
export interface Profiles {
  /** Empty for a user who has none, or is not this server's. */
  of(userId: string): Promise<MemberProfile> | MemberProfile;
}

/** Room account data that moves along when a room is upgraded. */
export interface RoomDataCarrier {
  /** Copies what a user has set for one room (tags, push rules) to another. */
  carry(userNid: number, fromRoomId: string, toRoomId: string): Promise<void>;
}

/** An invite of whoever has a mail address or phone number. */
export interface ThreepidInvite {
  medium: string;
  address: string;
  /** The identity server to ask: host with an optional port and path. */
  idServer: string;
  idAccessToken: string;
  reason?: string | undefined;
}

/** Who acts. */
export interface Actor {
  userId: string;
  userNid: number;
  deviceNid: number | null;
  isGuest: boolean;
  isAdmin: boolean;
  appservice: { id: string; rateLimited?: boolean } | null;
  /** As in Requester. */
  ownRateLimit?: RateLimit | null;
}

/** An event that a client wants to be sent later. */
export interface DelayWish {
  requester: Pick<Actor, 'userId' | 'userNid' | 'deviceNid'>;
  roomId: string;
  type: string;
  /** Null for messages. */
  stateKey: string | null;
  /** Null: the request has none, as may be when it is made once more. */
  content: JsonObject | null;
  delayMs: number;
  /** For how long it is sticky once sent (MSC4354), in milliseconds; null: it is not. */
  stickyMs: number | null;
  transaction: TransactionKey | null;
}

/** Who may invite whom. */
export interface InviteChecks {
  /** Of a user of this server. */
  permissionsOf(userId: string): Promise<InvitePermissions>;
  /** A user of this server is about to be invited: an application service may have to make it. */
  expect(userId: string): Promise<void>;
}

/** What rooms ask of application services. */
export interface AppserviceAliases {
  registrations: Pick<AppserviceRegistrations, 'byId' | 'exclusiveForAlias'>;
  /** Whether a service says that there is such an alias of this server; it has made it then. */
  hasAlias(alias: string): Promise<boolean>;
}

/** A room that this server is, or was, in. */
export interface KnownRoom {
  roomNid: number;
  roomId: string;
  roomVersion: string;
}

/** A time that an event is looked for near to. */
export interface NearestWish {
  /** Milliseconds since 1970. */
  ts: number;
  /** `b`: the newest event not after the time; `f`: the oldest not before it. */
  direction: 'b' | 'f';
  /** The time of the nearest event that is known; null: none is. */
  knownTs: number | null;
}

/** Memberships that other servers have a say in. */
export interface Elsewhere {
  /**
   * Joins, knocks at, or leaves a room by way of a server that is in it: this one is not, or nobody
   * here may let the user in. `servers`: who may be. A join gives its event's id. Throws M_NOT_FOUND,
   * M_FORBIDDEN and what else a server says.
   */
  join(
    actor: Actor,
    roomId: string,
    servers: readonly string[],
    content: JsonObject,
  ): Promise<string>;
  knock(
    actor: Actor,
    roomId: string,
    servers: readonly string[],
    content: JsonObject,
  ): Promise<void>;
  leave(
    actor: Actor,
    roomId: string,
    servers: readonly string[],
    content: JsonObject,
  ): Promise<void>;
  /** A user of this server has come into a room. Servers that are new to the user hear of its devices. */
  hasEntered(user: { userId: string; userNid: number }, roomId: string): Promise<void>;
  /**
   * Asks for events that are missing before a gap in the history that is known of a room, and gives them
   * their places. Whether there is more now.
   */
  fillHistory(room: KnownRoom, gap: TimelinePlace): Promise<boolean>;
  /**
   * Asks for the event that is nearest to a time, and gives it its place with what comes before it.
   * Whether there is one that is nearer than what is known.
   */
  fetchNearest(room: KnownRoom, wish: NearestWish): Promise<boolean>;
  /** Invites a user of another server to a room that this server is in. */
  invite(
    actor: Pick<Actor, 'userId' | 'userNid'>,
    roomId: string,
    userId: string,
    content: JsonObject,
  ): Promise<void>;
}

export interface RoomsEnvironment {
  elsewhere: Elsewhere;
  /** Users of this server have forgotten a room, perhaps the last of them. */
  forgotten(room: { roomId: string; roomNid: number }): Promise<void>;
  limits: Pick<RateLimiter, 'take'>;
  clock: Clock;
  config: RoomsConfig;
  profiles: Profiles;
  inviteChecks: InviteChecks;
  appserviceAliases: AppserviceAliases;
  /** Invites somebody by a mail address or phone number, with the help of an identity server. */
  inviteByThreepid(actor: Actor, roomId: string, wish: ThreepidInvite): Promise<void>;
  /** Whose events, but for state, the user does not want to see. */
  ignoredUsers(userNid: number): Promise<ReadonlySet<string>> | ReadonlySet<string>;
  /** Keeps an event to be sent later; gives the id of the delay. */
  delayEvent(wish: DelayWish): Promise<string>;
}

export type { JsonObject };
