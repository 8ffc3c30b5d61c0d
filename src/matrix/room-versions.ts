/** What differs between room versions. Source: "Room Versions" of the specification. */
export interface RoomVersion {
  readonly id: string;
  /** `explicit`: chosen by the server; else the reference hash in either base64 alphabet. */
  readonly eventIdFormat: 'explicit' | 'base64' | 'urlsafe';
  readonly stateResolution: 'v1' | 'v2' | 'v2.1';
  /** Servers' keys must be valid at the time of the event. */
  readonly strictKeyValidity: boolean;
  /** Only integers within ±(2^53 − 1) are numbers. */
  readonly enforceCanonicalJson: boolean;
  /** Types and state keys are limited in bytes; before, those of received events in code points. */
  readonly limitsInBytes: boolean;
  /** m.room.aliases has its own authorisation rule, and its aliases survive redaction. */
  readonly aliasEventAuth: boolean;
  /** The redaction of an event is authorised when it is sent, not when it takes effect. */
  readonly redactionAuth: boolean;
  /** Changes of `notifications` in power levels are limited by the sender's level. */
  readonly limitNotificationsPowerLevels: boolean;
  readonly knocking: boolean;
  readonly restrictedJoins: boolean;
  /** `join_authorised_via_users_server` survives redaction. */
  readonly restrictedJoinsRedaction: boolean;
  readonly knockRestricted: boolean;
  /** Power levels are integers; before, strings that hold integers pass. */
  readonly integerPowerLevels: boolean;
  /** The creator is the sender of m.room.create, which has no `creator`. */
  readonly implicitRoomCreator: boolean;
  /** The redaction rules of version 11. */
  readonly updatedRedaction: boolean;
  /** Redactions name their target in the content. */
  readonly redactsInContent: boolean;
  /** The room id is the hash of the create event (MSC4291). */
  readonly roomIdIsCreateHash: boolean;
  /** Creators are above every power level (MSC4289). */
  readonly privilegedCreators: boolean;
  /**
   * State keys that begin with a user id, then `_` and whatever, are that user's, and of those with
   * more power (MSC3757).
   */
  readonly ownedState: boolean;
}

const v1: RoomVersion = {
  id: '1',
  eventIdFormat: 'explicit',
  stateResolution: 'v1',
  strictKeyValidity: false,
  enforceCanonicalJson: false,
  limitsInBytes: false,
  aliasEventAuth: true,
  redactionAuth: true,
  limitNotificationsPowerLevels: false,
  knocking: false,
  restrictedJoins: false,
  restrictedJoinsRedaction: false,
  knockRestricted: false,
  integerPowerLevels: false,
  implicitRoomCreator: false,
  updatedRedaction: false,
  redactsInContent: false,
  roomIdIsCreateHash: false,
  privilegedCreators: false,
  ownedState: false,
};
const v2: RoomVersion = { ...v1, id: '2', stateResolution: 'v2' };
const v3: RoomVersion = { ...v2, id: '3', eventIdFormat: 'base64', redactionAuth: false };
const v4: RoomVersion = { ...v3, id: '4', eventIdFormat: 'urlsafe' };
const v5: RoomVersion = { ...v4, id: '5', strictKeyValidity: true };
const v6: RoomVersion = {
  ...v5,
  id: '6',
  enforceCanonicalJson: true,
  aliasEventAuth: false,
  limitNotificationsPowerLevels: true,
};
const v7: RoomVersion = { ...v6, id: '7', knocking: true };
const v8: RoomVersion = { ...v7, id: '8', restrictedJoins: true };
const v9: RoomVersion = { ...v8, id: '9', restrictedJoinsRedaction: true };
const v10: RoomVersion = { ...v9, id: '10', knockRestricted: true, integerPowerLevels: true };
const v11: RoomVersion = {
  ...v10,
  id: '11',
  limitsInBytes: true,
  implicitRoomCreator: true,
  updatedRedaction: true,
  redactsInContent: true,
};
const v12: RoomVersion = {
  ...v11,
  id: '12',
  stateResolution: 'v2.1',
  roomIdIsCreateHash: true,
  privilegedCreators: true,
};

const specified = [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12];
const proposed: RoomVersion[] = [
  { ...v10, id: 'org.matrix.msc3757.10', ownedState: true },
  { ...v11, id: 'org.matrix.msc3757.11', ownedState: true },
];
const versions: ReadonlyMap<string, RoomVersion> = new Map(
  [...specified, ...proposed].map((version) => [version.id, version]),
);

/** Ids of the versions of the specification, oldest first. */
export const knownRoomVersions: readonly string[] = specified.map(({ id }) => id);

/** Ids of versions that are proposals. */
export const proposedRoomVersions: readonly string[] = proposed.map(({ id }) => id);

export const isKnownRoomVersion = (id: string) => versions.has(id);

/** The version of new rooms unless configured otherwise. */
export const defaultRoomVersion = '12';

export class UnknownRoomVersion extends Error {
  constructor(id: string) {
    super(`unknown room version ${id}`);
    this.name = 'UnknownRoomVersion';
  }
}

/** Throws UnknownRoomVersion. */
export function roomVersion(id: string): RoomVersion {
  const version = versions.get(id);
  if (!version) throw new UnknownRoomVersion(id);
  return version;
}
