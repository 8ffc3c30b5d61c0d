import type { BatchItem, Database } from '../../database/database.ts';
import { fenceItem, type Fence } from '../../database/fence.ts';
import { statement } from '../../database/statement.ts';
import type { Behind } from '../destination.ts';

const addDestinations = statement<[serverNames: string[], shards: number[]], never>(
  'add_federation_destinations',
  `insert into federation_destinations (server_name, shard)
     select * from unnest($1::text[], $2::smallint[])
     on conflict (server_name) do nothing`,
);

interface BehindRow {
  serverName: string;
  shard: number;
  pos: number;
  toPos: number | null;
  room: number | null;
}

const selectBehind = statement<[shards: number[]], BehindRow>(
  'select_federation_destinations_behind',
  `select server_name as "serverName", shard, caught_up_pos as pos, catch_up_to as "toPos",
     catch_up_room as room
   from federation_destinations where shard = any($1) and caught_up_pos is not null`,
);

const selectPositions = statement<[shards: number[]], { shard: number; pos: number }>(
  'select_federation_sender_positions',
  'select shard, pos from federation_sender_positions where shard = any($1)',
);

const selectTold = statement<
  [serverNames: string[], shards: number[], pos: number],
  { areTold: boolean }
>(
  'select_are_servers_told',
  `select coalesce(bool_and(d.caught_up_pos is not null or coalesce(p.pos, 0) >= $3), true)
     as "areTold"
   from unnest($1::text[], $2::smallint[]) as w(server_name, shard)
     left join federation_destinations d on d.server_name = w.server_name
     left join federation_sender_positions p on p.shard = w.shard`,
);

const selectLeast = statement<[], { pos: number | null }>(
  'select_least_federation_sender_position',
  `select least((select min(pos) from federation_sender_positions),
     (select min(caught_up_pos) from federation_destinations)) as pos`,
);

type SaveBehindParams = [
  ...[serverNames: string[], shards: number[], positions: (number | null)[]],
  ...[toPositions: (number | null)[], rooms: (number | null)[]],
];

const saveBehind = statement<SaveBehindParams, never>(
  'save_federation_destinations_behind',
  `insert into federation_destinations
       (server_name, shard, caught_up_pos, catch_up_to, catch_up_room)
     select * from unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[])
     on conflict (server_name) do update set shard = excluded.shard,
       caught_up_pos = excluded.caught_up_pos, catch_up_to = excluded.catch_up_to,
       catch_up_room = excluded.catch_up_room`,
);

const savePositions = statement<[shards: number[], positions: number[]], never>(
  'save_federation_sender_positions',
  `insert into federation_sender_positions as p (shard, pos)
     select * from unnest($1::smallint[], $2::bigint[])
     on conflict (shard) do update set pos = greatest(p.pos, excluded.pos)`,
);

/** How far a server has got; `behind` null: as far as its shard. */
export interface DestinationProgress {
  serverName: string;
  shard: number;
  behind: Behind | null;
}

/** What is written together, so that no position says more than holds. */
export interface Progress {
  destinations: readonly DestinationProgress[];
  shards: readonly { shard: number; pos: number }[];
  /** The leases under which it is written. */
  fences: readonly Fence[];
}

/** Servers that something is sent to. */
export function createDestinationStore(database: Database) {
  return {
    /** Makes the rows of servers; those that exist stay as they are. */
    add: (destinations: readonly { name: string; shard: number }[]) =>
      database.query(addDestinations, [
        destinations.map(({ name }) => name),
        destinations.map(({ shard }) => shard),
      ]),
    async behind(shards: readonly number[]): Promise<DestinationProgress[]> {
      const rows = await database.query(selectBehind, [[...shards]]);
      return rows.map(({ serverName, shard, pos, toPos, room }) => ({
        serverName,
        shard,
        behind: { pos, round: toPos === null ? null : { toPos, room: room ?? 0 } },
      }));
    },
    /** Every server has everything up to here; null: nothing is known. */
    async leastPos(): Promise<number | null> {
      return (await database.query(selectLeast, []))[0]!.pos;
    },
    /** Whether each of the servers has everything up to a position, or cannot be reached. */
    areTold: async (servers: readonly { name: string; shard: number }[], pos: number) =>
      (
        await database.query(selectTold, [
          servers.map(({ name }) => name),
          servers.map(({ shard }) => shard),
          pos,
        ])
      )[0]!.areTold,
    positions: (shards: readonly number[]) => database.query(selectPositions, [[...shards]]),
    /** Throws when a lease is another's by now. */
    async save({ destinations, shards, fences }: Progress): Promise<void> {
      const items: BatchItem[] = [];
      const fence = fenceItem(fences);
      if (fence) items.push(fence);
      if (destinations.length > 0) {
        const params = [
          destinations.map(({ serverName }) => serverName),
          destinations.map(({ shard }) => shard),
          destinations.map(({ behind }) => behind?.pos ?? null),
          destinations.map(({ behind }) => behind?.round?.toPos ?? null),
          destinations.map(({ behind }) => behind?.round?.room ?? null),
        ];
        items.push({ statement: saveBehind as never, params });
      }
      if (shards.length > 0) {
        const params = [shards.map(({ shard }) => shard), shards.map(({ pos }) => pos)];
        items.push({ statement: savePositions as never, params });
      }
      await database.batch('federation sender', items);
    },
  };
}

export type DestinationStore = ReturnType<typeof createDestinationStore>;
