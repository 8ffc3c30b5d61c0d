import type { Queryable } from '../../database/database.ts';
import { statement, type Statement } from '../../database/statement.ts';
import { serverOf } from './columns.ts';

/** A server that something is sent to, as admins see it. Times in milliseconds since 1970. */
export interface DestinationRow {
  serverName: string;
  failingSinceTs: number | null;
  retryLastTs: number | null;
  retryIntervalMs: number | null;
  /** It has everything of ours up to here; null: nothing is known of that. */
  sentPos: number | null;
}

const columns = `d.server_name as "serverName", d.failing_since_ts as "failingSinceTs",
  d.retry_last_ts as "retryLastTs", d.retry_interval_ms as "retryIntervalMs",
  coalesce(d.caught_up_pos, p.pos) as "sentPos"`;
const source = `federation_destinations d
  left join federation_sender_positions p on p.shard = d.shard`;

/** What the list may be in the order of, by the names that admins use. */
const orders = {
  destination: 'd.server_name',
  retry_last_ts: 'coalesce(d.retry_last_ts, 0)',
  retry_interval: 'coalesce(d.retry_interval_ms, 0)',
  failure_ts: 'coalesce(d.failing_since_ts, 0)',
  last_successful_stream_ordering: 'coalesce(d.caught_up_pos, p.pos, 0)',
} as const;
export type DestinationOrder = keyof typeof orders;
export const destinationOrders = Object.keys(orders) as DestinationOrder[];

export type Direction = 'f' | 'b';
type PageParams = [part: string, limit: number, offset: number];

const pages = new Map<string, Statement<PageParams, DestinationRow>>(
  Object.entries(orders).flatMap(([name, order]) =>
    (['f', 'b'] as const).map((direction) => {
      const way = direction === 'f' ? 'asc' : 'desc';
      const page = statement<PageParams, DestinationRow>(
        `list_destinations_by_${name}_${direction}`,
        `select ${columns} from ${source} where strpos(d.server_name, $1) > 0
         order by ${order} ${way}, d.server_name ${way} limit $2 offset $3`,
      );
      return [`${name} ${direction}`, page] as const;
    }),
  ),
);

const countDestinations = statement<[part: string], { total: number }>(
  'count_destinations',
  'select count(*)::int as total from federation_destinations where strpos(server_name, $1) > 0',
);

const selectDestination = statement<[serverName: string], DestinationRow>(
  'select_destination',
  `select ${columns} from ${source} where d.server_name = $1`,
);

/** A room that another server is in, and the newest of our events there that it has. */
export interface DestinationRoom {
  roomId: string;
  pos: number;
}

const roomsOfServer = `
  select distinct m.room_nid from users u join memberships m on m.user_nid = u.user_nid
  where ${serverOf('u.user_id')} = $1 and m.membership = 'join'`;

type RoomParams = [
  ...[serverName: string, uptoPos: number, ownName: string],
  ...[limit: number, offset: number],
];

const roomPage = (direction: Direction) =>
  statement<RoomParams, DestinationRoom>(
    `list_rooms_of_destination_${direction}`,
    `select r.room_id as "roomId", coalesce((select e.pos from events e
       join users s on s.user_nid = e.sender_nid
       where e.room_nid = r.room_nid and e.pos <= $2 and e.sub = 0 and e.status = 0
         and ${serverOf('s.user_id')} = $3 order by e.pos desc limit 1), 0) as pos
     from (${roomsOfServer}) w join rooms r on r.room_nid = w.room_nid
     order by r.room_id ${direction === 'f' ? 'asc' : 'desc'} limit $4 offset $5`,
  );
const roomPages = { f: roomPage('f'), b: roomPage('b') };

const countRooms = statement<[serverName: string], { total: number }>(
  'count_rooms_of_destination',
  `select count(*)::int as total from (${roomsOfServer}) w`,
);

export interface Page {
  direction: Direction;
  limit: number;
  offset: number;
}

/** For the admin API. `serverName`: this server's. */
export function createDestinationAdminStore(database: Queryable, serverName: string) {
  return {
    /** Servers with `part` in their names. */
    async list(part: string, order: DestinationOrder, { direction, limit, offset }: Page) {
      const [destinations, counted] = await Promise.all([
        database.query(pages.get(`${order} ${direction}`)!, [part, limit, offset]),
        database.query(countDestinations, [part]),
      ]);
      return { destinations, total: counted[0]!.total };
    },
    async one(name: string): Promise<DestinationRow | null> {
      return (await database.query(selectDestination, [name]))[0] ?? null;
    },
    async rooms(name: string, uptoPos: number, { direction, limit, offset }: Page) {
      const params: RoomParams = [name, uptoPos, serverName, limit, offset];
      const [rooms, counted] = await Promise.all([
        database.query(roomPages[direction], params),
        database.query(countRooms, [name]),
      ]);
      return { rooms, total: counted[0]!.total };
    },
  };
}

export type DestinationAdminStore = ReturnType<typeof createDestinationAdminStore>;
