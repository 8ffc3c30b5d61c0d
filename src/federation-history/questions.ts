import { answerOf, listOf } from '../federation-client/answers.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import { inGroups } from '../kernel/in-groups.ts';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import { isEventId } from '../matrix/ids.ts';
import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import { checkHistoric, type FindServerKey } from '../matrix/received-pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import type { KnownRoom } from '../rooms/module.ts';

export interface HistoryQuestionsNeeds {
  federation: Pick<FederationClient, 'request'>;
  findKey: FindServerKey;
}

/** Events that are asked for at once. */
const eventsMax = 100;
/** Events from which a server is asked to go back. */
const startsMax = 20;
/** A client waits meanwhile. */
const askMsMax = 15_000;
const answerBytesMax = 16 * 1024 * 1024;
const stateBytesMax = 64 * 1024 * 1024;
const fetchedAtOnce = 10;

const encoded = encodeURIComponent;

/** An event by its time. */
export interface EventAtTime {
  eventId: string;
  ts: number;
}

/** What is asked about the history of rooms. Every event in an answer is checked but for the rules. */
export function createHistoryQuestions({ federation, findKey }: HistoryQuestionsNeeds) {
  const ask = (server: string, uri: string, bytesMax = answerBytesMax) =>
    answerOf(federation, server, {
      method: 'GET',
      uri: `/_matrix/federation/v1/${uri}`,
      timeoutMs: askMsMax,
      bytesMax,
    });

  async function eventsIn(room: KnownRoom, answer: JsonObject | null): Promise<BuiltEvent[]> {
    const version = roomVersion(room.roomVersion);
    const events = await inGroups(listOf(answer?.['pdus']), fetchedAtOnce, (each: JsonValue) =>
      checkHistoric(version, room.roomId, each, findKey),
    );
    return events.filter((event) => typeof event !== 'string');
  }

  return {
    /** The events and what comes before them, by id. */
    async backfill(server: string, room: KnownRoom, from: readonly string[]) {
      const starts = from.slice(0, startsMax).map((id) => `v=${encoded(id)}`);
      const uri = `backfill/${encoded(room.roomId)}?${starts.join('&')}&limit=${eventsMax}`;
      const events = await eventsIn(room, await ask(server, uri));
      return new Map(events.map((event) => [event.eventId, event]));
    },
    /** Those of the events that the server has. */
    async events(server: string, room: KnownRoom, ids: readonly string[]): Promise<BuiltEvent[]> {
      const fetched = await inGroups(ids, fetchedAtOnce, async (id) => {
        const events = await eventsIn(room, await ask(server, `event/${encoded(id)}`));
        return events.filter(({ eventId }) => eventId === id);
      });
      return fetched.flat();
    },
    /** The ids of the state before an event; null: the server does not tell. */
    async stateIds(server: string, room: KnownRoom, eventId: string): Promise<string[] | null> {
      const uri = `state_ids/${encoded(room.roomId)}?event_id=${encoded(eventId)}`;
      const answer = await ask(server, uri, stateBytesMax);
      if (!answer) return null;
      return listOf(answer['pdu_ids']).filter((id) => typeof id === 'string');
    },
    /** The event nearest to a time; null: the server knows none. */
    async atTime(
      server: string,
      room: KnownRoom,
      { ts, direction }: { ts: number; direction: 'b' | 'f' },
    ): Promise<EventAtTime | null> {
      const uri = `timestamp_to_event/${encoded(room.roomId)}?ts=${ts}&dir=${direction}`;
      const { event_id: eventId, origin_server_ts: foundTs } = (await ask(server, uri)) ?? {};
      if (typeof eventId !== 'string' || !isEventId(eventId)) return null;
      return typeof foundTs === 'number' ? { eventId, ts: foundTs } : null;
    },
  };
}

export type HistoryQuestions = ReturnType<typeof createHistoryQuestions>;
