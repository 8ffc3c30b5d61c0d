import { checkAuthorised, NotAuthorised } from '../../matrix/auth-rules.ts';
import { referencedIds, type Pdu } from '../../matrix/pdu.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import { resolveLiterally } from '../../matrix/state-resolution/test-oracle.ts';
import { keyOf } from '../../matrix/state-resolution/types.ts';

export type State = ReadonlyMap<string, string>;

interface Known {
  pdu: Pdu;
  before: State;
  after: State;
  isRejected: boolean;
}

/** A room as the specification has it, word for word: every state of every event is kept. */
export class LiteralRoom {
  readonly events = new Map<string, Known>();
  extremities: string[] = [];
  readonly version: RoomVersion;

  constructor(version: RoomVersion) {
    this.version = version;
  }

  resolve(states: readonly State[]): State {
    if (states.length === 1) return states[0]!;
    const accepted = [...this.events].filter(([, { isRejected }]) => !isRejected);
    const pdus = new Map(
      accepted.map(([id, { pdu }]) => [
        id,
        { ...pdu, auth_events: referencedIds(pdu.auth_events) },
      ]),
    );
    return resolveLiterally(this.version, states, pdus);
  }

  current = (): State => this.resolve(this.extremities.map((id) => this.events.get(id)!.after));

  stateBefore = (prevIds: readonly string[]): State =>
    this.resolve(prevIds.map((id) => this.events.get(id)!.after));

  allows(pdu: Pdu, state: State): boolean {
    const get = (type: string, key: string) => {
      const eventId = state.get(keyOf(type, key));
      return eventId === undefined ? undefined : { eventId, pdu: this.events.get(eventId)!.pdu };
    };
    try {
      checkAuthorised(this.version, pdu, { get });
      return true;
    } catch (error) {
      if (error instanceof NotAuthorised) return false;
      throw error;
    }
  }

  add(eventId: string, pdu: Pdu, prevIds: readonly string[]): string {
    const stateBefore = prevIds.length === 0 ? new Map() : this.stateBefore(prevIds);
    const isRejected = prevIds.length > 0 && !this.allows(pdu, stateBefore);
    const isSoftFailed = !isRejected && prevIds.length > 0 && !this.allows(pdu, this.current());
    const stateAfter = new Map(stateBefore);
    if (!isRejected && pdu.state_key !== undefined) {
      stateAfter.set(keyOf(pdu.type, pdu.state_key), eventId);
    }
    this.events.set(eventId, { pdu, before: stateBefore, after: stateAfter, isRejected });
    if (isRejected) return 'rejected';
    if (isSoftFailed) return 'soft_failed';
    this.extremities = [...this.extremities.filter((id) => !prevIds.includes(id)), eventId];
    return 'accepted';
  }
}
