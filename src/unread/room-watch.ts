import type { JsonObject, Pdu } from '../matrix/pdu.ts';
import { parsePowerLevels, type PowerLevels } from '../matrix/power-levels.ts';
import { Audience, judge, verdictFor, type RulesetClass } from '../matrix/push-rules/classes.ts';
import { EventFacts } from '../matrix/push-rules/event-facts.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { contentOf, type EventRow, type StoredEvent } from '../rooms/module.ts';
import { ThreadSubscribers, type ThreadSubscription } from '../thread-subscriptions/module.ts';
import { threadOf, type Reading } from './reading.ts';
import type { RoomFactsRow } from './store/unread.ts';

const displayNameIn = (content: JsonObject): string | null =>
  typeof content['displayname'] === 'string' ? content['displayname'] : null;

/** A room whose events are counted for those of its members who have synced lately. */
export class RoomWatch {
  readonly roomNid: number;
  readonly roomId: string;
  readonly readings = new Map<number, Reading>();
  /** Position of the newest event seen. */
  lastPos = 0;
  readonly #roomVersion: string;
  readonly #audience = new Audience();
  readonly #create: Pick<Pdu, 'sender' | 'content'>;
  #memberCount: number;
  #powerLevels: JsonObject | null;
  #parsed: PowerLevels | null = null;

  /** Null: users do not subscribe to threads. */
  readonly #subscribers: ThreadSubscribers | null;

  constructor(facts: RoomFactsRow, hasSubscriptions: boolean) {
    this.#subscribers = hasSubscriptions ? new ThreadSubscribers() : null;
    this.roomNid = facts.roomNid;
    this.roomId = facts.roomId;
    this.#roomVersion = facts.roomVersion;
    this.#create = { sender: facts.creator, content: JSON.parse(facts.create) as JsonObject };
    this.#memberCount = facts.joinedCount;
    this.#powerLevels =
      facts.powerLevels === null ? null : (JSON.parse(facts.powerLevels) as JsonObject);
  }

  add(
    reading: Reading,
    member: string | null,
    rules: RulesetClass,
    threads: readonly ThreadSubscription[],
  ): void {
    this.#subscribers?.set(reading.userId, threads);
    const content = member === null ? {} : (JSON.parse(member) as JsonObject);
    this.#audience.set(reading.userNid, reading.userId, displayNameIn(content), rules);
    this.readings.set(reading.userNid, reading);
  }

  remove({ userNid, userId }: Reading): void {
    this.readings.delete(userNid);
    this.#audience.delete(userId);
    this.#subscribers?.delete(userId);
  }

  #facts(sender: string) {
    this.#parsed ??= parsePowerLevels(
      roomVersion(this.#roomVersion),
      this.#powerLevels === null ? undefined : { content: this.#powerLevels },
      this.#create,
    );
    const notifications = this.#powerLevels?.['notifications'];
    return {
      memberCount: this.#memberCount,
      roomVersion: this.#roomVersion,
      powerLevels: {
        sender: this.#parsed.userLevel(sender),
        notifications:
          typeof notifications === 'object' && notifications !== null
            ? (notifications as Record<string, unknown>)
            : {},
      },
    };
  }

  #judge(event: StoredEvent) {
    const content = contentOf(event);
    const { eventId, type, sender, stateKey, originServerTs } = event;
    const thread = threadOf(content);
    const subscribers = thread === null ? null : this.#subscribers?.at(thread, event.pos!);
    const facts = new EventFacts(
      { eventId, roomId: this.roomId, type, sender, stateKey, originServerTs, content },
      subscribers,
    );
    return { judged: judge(facts, this.#facts(sender), this.#audience), thread };
  }

  /** Counts an event for one member, while it is being added. */
  countFor(reading: Reading, event: StoredEvent): void {
    const member = this.#audience.get(reading.userId);
    if (!member || reading.ignored.has(event.sender)) return;
    const { judged, thread } = this.#judge(event);
    reading.count(event.pos!, thread, verdictFor(judged, member));
  }

  /** Those to whom an event may have counted as unread. */
  unreadBy({ pos, senderNid }: StoredEvent): Reading[] {
    return [...this.readings.values()].filter(
      (reading) => reading.userNid !== senderNid && pos !== null && pos > reading.readPos,
    );
  }

  /** A new event: counts it for all who are here. */
  onEvent({ event, memberships, changed }: EventRow): void {
    this.lastPos = Math.max(this.lastPos, event.pos!);
    for (const membership of memberships) {
      const step = (name: string) =>
        Number(membership.to === name) - Number(membership.from === name);
      this.#memberCount += step('join');
      const known = this.#audience.get(membership.userId);
      if (known && membership.to === 'join') {
        const { userNid, userId } = membership;
        this.#audience.set(userNid, userId, displayNameIn(contentOf(event)), known.rules);
      }
    }
    if (this.readings.size > 0) {
      const { judged, thread } = this.#judge(event);
      for (const reading of this.readings.values()) {
        if (reading.userNid === event.senderNid || reading.ignored.has(event.sender)) continue;
        const member = this.#audience.get(reading.userId);
        if (member) reading.count(event.pos!, thread, verdictFor(judged, member));
      }
    }
    if (event.type === 'm.room.power_levels' && event.stateKey === '' && !changed) {
      this.#powerLevels = contentOf(event);
      this.#parsed = null;
    }
  }
}
