import type { SynapseSource } from './source.ts';

// A group has what differs from the group before it; the nearest entry of a key counts.
const entriesOfGroup = `
  with recursive chain(state_group, distance) as (
    select state_group, 0 from event_to_state_groups where event_id = $1
    union all
    select g.prev_state_group, c.distance + 1
      from state_group_edges g join chain c on g.state_group = c.state_group)
  select s.type, s.state_key, s.event_id
  from state_groups_state s join chain c on c.state_group = s.state_group
  order by c.distance desc`;

/** The state after an event, ids of events by type and key as one text; null: it is not known. */
export async function stateAfter(
  source: SynapseSource,
  eventId: string,
): Promise<Map<string, string> | null> {
  const rows = await source.rows(entriesOfGroup, [eventId]);
  if (rows.length === 0) return null;
  return new Map(
    rows.map((row) => {
      const { type, state_key: key, event_id: id } = row as Record<string, string>;
      return [stateKeyOf(type!, key!), id!];
    }),
  );
}

/** The key of an entry in such a state. */
export const stateKeyOf = (type: string, key: string) => JSON.stringify([type, key]);
