import { joinPdu } from '../../matrix/event-builder.ts';
import { referenceHash } from '../../matrix/event-format.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import type { AuthState, IdentifiedPdu, Pdu } from '../../matrix/pdu.ts';
import { parsePowerLevels, type PowerLevels } from '../../matrix/power-levels.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import type { Fence } from '../../database/fence.ts';
import { contentOf, type StoredEvent } from '../stored-event.ts';
import type { HashedParts, RoomRow } from '../store/load-head.ts';
import type { WaitingAppends } from './waiting-appends.ts';
import { RoomGate } from './room-gate.ts';

/** An entry of the current state, as authorisation and the next events need it. */
export interface HeadEntry extends IdentifiedPdu {
  /** Canonical JSON text of the content. */
  content: string;
  /** Room versions 1 and 2, where references to events carry it. */
  referenceHash?: string;
}

export interface Extremity {
  eventId: string;
  depth: number;
  /** As in HeadEntry. */
  referenceHash?: string;
}

/** Most prev_events of an event (server-server spec, "PDU fields"). */
export const prevEventsMax = 20;

/** Rough bytes of an entry beside its content, for the bound on the cache. */
const entryBytes = 600;

/**
 * A room as its writer holds it: the current state (members as far as they have been needed),
 * forward extremities and counts. It runs ahead of the database by the events that are being
 * committed; when a commit fails it is `broken` and thrown away with everything built on it.
 */
export class RoomHead implements AuthState {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  /** The lease under which this head was read, and is good; null in a single process. */
  readonly fence: Fence | null;
  /** False until the room's row has been committed. */
  isStored: boolean;
  isBlocked: boolean;
  joinedCount: number;
  invitedCount: number;
  extremities: Extremity[] = [];
  broken = false;
  readonly gate = new RoomGate();
  /** Events of other servers are taken in by one request at a time. */
  readonly receipt = new RoomGate();
  /** Appends that wait for the room's policy server; null: there are none. */
  waiting: WaitingAppends | null = null;
  /**
   * A user of the policy server that `m.room.policy` names who was joined when it was looked for;
   * null: nobody is; undefined: to be looked for.
   */
  policyMember: string | null | undefined = undefined;
  /** Users of this head at the moment; see HeadCache. */
  pins = 0;
  bytes = 2000;
  readonly #state = new Map<string, Map<string, HeadEntry>>();
  /** Users known to have no member event. */
  readonly #absentMembers = new Set<string>();
  #powerLevels: PowerLevels | null = null;

  constructor(room: RoomRow, version: RoomVersion, isStored: boolean, fence: Fence | null) {
    this.roomNid = room.roomNid;
    this.roomId = room.roomId;
    this.version = version;
    this.fence = fence;
    this.isStored = isStored;
    this.isBlocked = room.isBlocked;
    this.joinedCount = room.joinedCount;
    this.invitedCount = room.invitedCount;
  }

  /** Members must have been loaded (`missingMembers`) before they are asked for. */
  get(type: string, stateKey: string): HeadEntry | undefined {
    return this.#state.get(type)?.get(stateKey);
  }

  set(entry: HeadEntry): void {
    const { type, state_key: stateKey = '' } = entry.pdu;
    let entries = this.#state.get(type);
    if (!entries) this.#state.set(type, (entries = new Map()));
    const before = entries.get(stateKey);
    this.bytes += entry.content.length - (before ? before.content.length : -entryBytes);
    // A redaction changes what is held of an event, but not its reference hash.
    const hash = before?.eventId === entry.eventId ? before.referenceHash : undefined;
    entries.set(stateKey, hash && !entry.referenceHash ? { ...entry, referenceHash: hash } : entry);
    if (type === 'm.room.power_levels' || type === 'm.room.create') this.#powerLevels = null;
    if (type === 'm.room.policy') this.policyMember = undefined;
    if (type !== 'm.room.member') return;
    this.#absentMembers.delete(stateKey);
    const via = this.policyMember === null && this.get('m.room.policy', '')?.pdu.content['via'];
    // Whoever was not there may have come.
    if (via && serverNameOf(stateKey) === via) this.policyMember = undefined;
  }

  delete(type: string, stateKey: string): void {
    const entries = this.#state.get(type);
    const before = entries?.get(stateKey);
    if (!before) return;
    entries!.delete(stateKey);
    this.bytes -= before.content.length + entryBytes;
    if (type === 'm.room.power_levels') this.#powerLevels = null;
    if (type === 'm.room.member') this.#absentMembers.add(stateKey);
  }

  /**
   * Sets the extremities. Gives the ids to be marked as such in the database from now on; null when
   * nothing changes there. One alone is the newest event of the timeline, and is not marked.
   */
  setExtremities(extremities: Extremity[]): string[] | null {
    const wereMarked = this.extremities.length > 1;
    this.extremities = extremities;
    if (extremities.length > 1) return extremities.map(({ eventId }) => eventId);
    return wereMarked ? [] : null;
  }

  /** An event takes the place of all the extremities that it can name. As `setExtremities`. */
  follow(newest: Extremity): string[] | null {
    return this.setExtremities([...this.extremities.slice(prevEventsMax), newest]);
  }

  /** All entries but members, which may not all be here. */
  *entries(): Iterable<HeadEntry> {
    for (const [type, entries] of this.#state) {
      if (type !== 'm.room.member') yield* entries.values();
    }
  }

  ofType(type: string): ReadonlyMap<string, HeadEntry> {
    return this.#state.get(type) ?? new Map();
  }

  /** Those of the users whose member event, or its absence, is not known here. */
  missingMembers(userIds: readonly string[]): string[] {
    if (!this.isStored) return [];
    const members = this.#state.get('m.room.member');
    return userIds.filter((id) => !members?.has(id) && !this.#absentMembers.has(id));
  }

  markAbsent(userId: string): void {
    if (this.get('m.room.member', userId)) return;
    this.#absentMembers.add(userId);
    this.bytes += 100;
  }

  /** `leave` for a user without a member event. */
  membershipOf(userId: string): string {
    const content = this.get('m.room.member', userId)?.pdu.content;
    return typeof content?.['membership'] === 'string' ? content['membership'] : 'leave';
  }

  powerLevels(): PowerLevels {
    this.#powerLevels ??= parsePowerLevels(
      this.version,
      this.get('m.room.power_levels', '')?.pdu,
      this.get('m.room.create', '')!.pdu,
    );
    return this.#powerLevels;
  }

  depth(): number {
    let depth = 0;
    for (const extremity of this.extremities) depth = Math.max(depth, extremity.depth);
    return depth;
  }
}

/** A state entry out of a stored event. Only what authorisation looks at is filled in. */
export function headEntryOf(event: StoredEvent, roomId: string): HeadEntry {
  const pdu: Pdu = {
    room_id: roomId,
    sender: event.sender,
    type: event.type,
    state_key: event.stateKey ?? '',
    content: contentOf(event),
    origin_server_ts: event.originServerTs,
    depth: 0,
    prev_events: [],
    auth_events: [],
    hashes: { sha256: '' },
    signatures: {},
  };
  return { eventId: event.eventId, pdu, content: event.content };
}

/** The reference hash of a stored event, where the room version's references carry it. */
export function referenceHashOf(
  version: RoomVersion,
  event: HashedParts & { content: string },
): { referenceHash?: string } {
  if (version.eventIdFormat !== 'explicit') return {};
  const { envelope, contentAt, content } = event;
  if (envelope === null) throw new Error('an event of this room was read without its envelope');
  const pdu = JSON.parse(joinPdu(envelope, contentAt, content)) as Pdu;
  return { referenceHash: referenceHash(version, pdu) };
}
