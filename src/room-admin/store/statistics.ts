import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement, type Statement } from '../../database/statement.ts';

/** What a user has uploaded. */
export interface MediaUsage {
  userId: string;
  displayName: string | null;
  count: number;
  bytes: number;
}

const orders = {
  user_id: '"userId"',
  displayname: '"displayName"',
  media_length: 'bytes',
  media_count: 'count',
} as const;
export type UsageOrder = keyof typeof orders;
export const usageOrders = Object.keys(orders) as UsageOrder[];

type Params = [
  ...[fromTs: number, untilTs: number | null, term: string | null],
  ...[limit: number, offset: number],
];
type Row = Omit<MediaUsage, 'userId'> & { userId: string | null; total: number };

const pages = new Map<string, Statement<Params, Row>>();
for (const [order, column] of Object.entries(orders)) {
  for (const direction of ['f', 'b'] as const) {
    const way = direction === 'f' ? 'asc' : 'desc';
    pages.set(
      `${order} ${direction}`,
      statement(
        `media_usage_by_${order}_${direction}`,
        `with usage as (
           select user_nid, count(*)::int as count, coalesce(sum(bytes), 0)::bigint as bytes
           from media where user_nid is not null and origin = '' and sha256 is not null
             and created_ts >= $1 and ($2::bigint is null or created_ts <= $2)
           group by user_nid),
         named as (
           select u.user_id as "userId", g.count, g.bytes,
             (select ${readableJson('p.value')} #>> '{}' from profile_fields p
               where p.user_nid = g.user_nid and p.field = 'displayname') as "displayName"
           from usage g join users u on u.user_nid = g.user_nid),
         fitting as materialized (
           select * from named where $3::text is null
             or strpos(lower(split_part(substr("userId", 2), ':', 1)), lower($3)) > 0
             or strpos(lower("displayName"), lower($3)) > 0),
         page as (
           select * from fitting order by ${column} ${way}, "userId" ${way} limit $4 offset $5)
         select c.total, page.* from (select count(*)::int as total from fitting) c
           left join page on true
         order by ${column} ${way}, "userId" ${way}`,
      ),
    );
  }
}

// The tables that know their rooms, and how much of each a room has, as the planner sees it.
const selectLargest = statement<[limit: number], { roomId: string; bytes: number }>(
  'largest_rooms',
  `select r.room_id as "roomId", sum(s.bytes)::bigint as bytes
   from (
     select unnest(p.most_common_vals::text::bigint[]) as room_nid,
       unnest(p.most_common_freqs)
         * pg_total_relation_size(format('%I.%I', p.schemaname, p.tablename)::regclass) as bytes
     from pg_stats p
     where p.schemaname = current_schema() and p.attname = 'room_nid'
       and p.most_common_vals is not null) s
     join rooms r on r.room_nid = s.room_nid
   group by r.room_id order by bytes desc, r.room_id limit $1`,
);

export interface UsageWish {
  fromTs: number;
  untilTs: number | null;
  /** In localparts and display names. */
  term: string | null;
  order: UsageOrder;
  direction: 'f' | 'b';
  limit: number;
  offset: number;
}

/** Who and what takes up space. */
export const createStatisticsStore = (database: Queryable) => ({
  async mediaUsage({ fromTs, untilTs, term, order, direction, limit, offset }: UsageWish) {
    const params: Params = [fromTs, untilTs, term, limit, offset];
    const rows = await database.query(pages.get(`${order} ${direction}`)!, params);
    const isUser = (row: Row): row is Row & MediaUsage => row.userId !== null;
    return { total: rows[0]!.total, users: rows.filter(isUser) };
  },
  /** By the statistics of PostgreSQL; empty before it has any. */
  largestRooms: (limit: number) => database.query(selectLargest, [limit]),
});

export type StatisticsStore = ReturnType<typeof createStatisticsStore>;
