import type { AuthChains } from './auth-chains.ts';
import { pduListParts } from './pdu-lists.ts';
import { placeBefore } from './server-view.ts';
import type { ChainRow } from './store/auth-chains.ts';
import type { EventStore, PlacedEvent, RoomRow } from './store/events.ts';

export interface StateBeforeNeeds {
  events: EventStore;
  authChains: AuthChains;
}

export interface StateAndChain {
  state: readonly ChainRow[];
  chain: readonly ChainRow[];
}

/** The state before an event and its auth chain, both from one place. */
export async function stateBefore(
  { events, authChains }: StateBeforeNeeds,
  room: RoomRow,
  { eventNid }: PlacedEvent,
  atPos: number,
): Promise<StateAndChain> {
  const nids = await events.stateBefore(room.roomNid, eventNid, atPos);
  const entries = new Set(nids);
  const rows = await authChains.of(room, nids);
  return {
    state: rows.filter((row) => entries.has(row.eventNid)),
    chain: rows.filter(({ isInChain }) => isInChain),
  };
}

/** A room before an event, as lists of PDUs in JSON. */
export interface RoomBefore {
  state: AsyncIterable<string>;
  authChain: AsyncIterable<string>;
}

/** The room before one of its events, which must have a place in it; for a server that joins. */
export async function roomBefore(
  needs: StateBeforeNeeds,
  roomId: string,
  eventId: string,
): Promise<RoomBefore> {
  const { events } = needs;
  const room = await events.room(roomId);
  const event = room && (await events.event(room.roomNid, eventId));
  const atPos = event ? placeBefore(event) : null;
  if (!room || !event || atPos === null) throw new Error(`${eventId} has no place in ${roomId}`);
  const { state, chain } = await stateBefore(needs, room, event, atPos);
  const parts = (rows: readonly ChainRow[]) =>
    pduListParts(
      events,
      room.roomNid,
      rows.map(({ eventNid }) => eventNid),
    );
  return { state: parts(state), authChain: parts(chain) };
}
