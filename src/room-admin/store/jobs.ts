import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import { endless } from '../../rooms/module.ts';

export type JobKind = 'delete' | 'purge_forgotten' | 'purge_history';
export type JobStatus = 'scheduled' | 'active' | 'complete' | 'failed';

/** Work on a room. Times in milliseconds since 1970. */
export interface JobRow {
  jobId: string;
  kind: JobKind;
  roomId: string;
  shard: number;
  status: JobStatus;
  /** JSON text: what is wanted. */
  params: string;
  /** JSON text: how far it is; `{}` at first. */
  progress: string;
  error: string | null;
}

const columns = `job_id as "jobId", kind, room_id as "roomId", shard, status, params, progress, error`;

type NewJob = [
  ...[jobId: string, kind: string, roomId: string, shard: number, params: string],
  ...[nowTs: number, dueTs: number],
];

// One that takes a room away is enough; others of the room may come beside it.
const insertJob = statement<NewJob, { jobId: string }>(
  'room_jobs.insert',
  `insert into room_jobs (job_id, kind, room_id, shard, params, created_ts, due_ts)
     select $1, $2, $3, $4::smallint, $5, $6::bigint, $7::bigint
     where $2 = 'purge_history' or not exists (
       select from room_jobs where room_id = $3 and ended_ts is null and kind <> 'purge_history'
         and (kind = 'delete' or $2 <> 'delete'))
   returning job_id as "jobId"`,
);

type RetentionParams = [
  ...[aboveMs: number | null, uptoMs: number | null, defaultMs: number | null],
  ...[allowedMinMs: number | null, allowedMaxMs: number | null, nowTs: number],
  ...[roomAfter: number, limit: number],
];

/** A room in which something is too old. */
export interface ExpiredRoom {
  roomNid: number;
  roomId: string;
  /** What was sent before is to go. */
  beforeTs: number;
}

// Rooms with nothing to delete are left out at once. `$7` and `$8` page by number.
const selectExpired = statement<RetentionParams, ExpiredRoom>(
  'room_jobs.select_expired',
  `with policy as (
     select r.room_nid, r.room_id, coalesce(own.lifetime, $3::bigint) as lifetime
     from rooms r left join lateral (
       select case when json_typeof(c.json -> 'max_lifetime') = 'number'
           and (c.json ->> 'max_lifetime')::numeric > 0
         then least((c.json ->> 'max_lifetime')::numeric, 1e15)::bigint end as lifetime
       from event_types t
         join room_state s on s.room_nid = r.room_nid and s.type_nid = t.type_nid
           and s.state_key = '' and s.to_pos = ${endless}
         join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
         cross join lateral (select ${readableJson('e.content')} as json) c
       where t.event_type = 'm.room.retention') own on true
     where r.room_nid > $7),
   bounded as (
     select room_nid, room_id,
       $6::bigint - least(greatest(lifetime, $4::bigint), $5::bigint) as before_ts
     from policy where lifetime is not null
       and ($1::bigint is null or lifetime > $1) and ($2::bigint is null or lifetime <= $2))
   select b.room_nid as "roomNid", b.room_id as "roomId", b.before_ts as "beforeTs" from bounded b
   where exists (
     select from events e where e.room_nid = b.room_nid and e.origin_server_ts < b.before_ts
       and e.pos is not null and e.state_key is null)
   order by b.room_nid limit $8`,
);

const insertExpired = statement<
  [jobIds: string[], roomIds: string[], shards: number[], params: string[], nowTs: number],
  never
>(
  'room_jobs.insert_expired',
  `insert into room_jobs (job_id, kind, room_id, shard, params, created_ts, due_ts)
     select w.job_id, 'purge_history', w.room_id, w.shard, w.params, $5::bigint, $5::bigint
     from unnest($1::text[], $2::text[], $3::smallint[], $4::text[])
       as w(job_id, room_id, shard, params)
     where not exists (
       select from room_jobs j where j.room_id = w.room_id and j.ended_ts is null)`,
);

const claimRun = statement<[job: string, nowTs: number, beforeTs: number], { job: string }>(
  'room_jobs.claim_retention_run',
  `insert into retention_runs as r (job, ran_ts) values ($1, $2)
   on conflict (job) do update set ran_ts = excluded.ran_ts where r.ran_ts <= $3
   returning job`,
);

const takeDue = statement<
  [shards: number[], nowTs: number, runningRooms: string[], limit: number],
  JobRow
>(
  'room_jobs.take_due',
  `update room_jobs set status = 'active' where job_id in (
     select job_id from (
       select distinct on (room_id) job_id, due_ts from room_jobs
       where shard = any($1) and ended_ts is null and due_ts <= $2 and room_id <> all($3)
       order by room_id, due_ts, job_id) first
     order by due_ts limit $4)
   returning ${columns}`,
);

const selectNext = statement<[shards: number[], runningRooms: string[]], { dueTs: number | null }>(
  'room_jobs.select_next',
  `select min(due_ts) as "dueTs" from room_jobs
   where shard = any($1) and ended_ts is null and room_id <> all($2)`,
);

const saveProgress = statement<[jobId: string, progress: string], never>(
  'room_jobs.save_progress',
  'update room_jobs set progress = $2 where job_id = $1',
);

const postpone = statement<[jobId: string, dueTs: number], never>(
  'room_jobs.postpone',
  'update room_jobs set due_ts = $2 where job_id = $1',
);

const finish = statement<
  [jobId: string, status: string, error: string | null, nowTs: number],
  never
>(
  'room_jobs.finish',
  'update room_jobs set status = $2, error = $3, ended_ts = $4 where job_id = $1',
);

const selectJob = statement<[jobId: string], JobRow>(
  'room_jobs.select',
  `select ${columns} from room_jobs where job_id = $1`,
);

const selectOfRoom = statement<[roomId: string], JobRow>(
  'room_jobs.select_deletions_of_room',
  `select ${columns} from room_jobs where room_id = $1 and kind <> 'purge_history'
   and (kind = 'delete' or status <> 'scheduled') order by created_ts`,
);

const forgetEnded = statement<[beforeTs: number], never>(
  'room_jobs.forget',
  'delete from room_jobs where ended_ts < $1',
);

/** Jobs, which any process that holds their shards does. */
export function createJobStore(database: Queryable) {
  return {
    /** False: the room is being taken away already. */
    async add(job: Pick<JobRow, 'jobId' | 'kind' | 'roomId' | 'shard' | 'params'>, at: At) {
      const { jobId, kind, roomId, shard, params } = job;
      const row: NewJob = [jobId, kind, roomId, shard, params, at.nowTs, at.dueTs];
      return (await database.query(insertJob, row)).length > 0;
    },
    /** Rooms with lifetimes within bounds in which something is too old; by number, after one. */
    expired: (...params: RetentionParams) => database.query(selectExpired, params),
    /** Jobs for rooms that have none. */
    async addExpired(
      jobs: readonly Pick<JobRow, 'jobId' | 'roomId' | 'shard' | 'params'>[],
      nowTs: number,
    ): Promise<void> {
      await database.query(insertExpired, [
        jobs.map(({ jobId }) => jobId),
        jobs.map(({ roomId }) => roomId),
        jobs.map(({ shard }) => shard),
        jobs.map(({ params }) => params),
        nowTs,
      ]);
    },
    /** Whether it is time for what ran last before a time; it counts as run from now on. */
    claimRun: async (job: string, nowTs: number, beforeTs: number) =>
      (await database.query(claimRun, [job, nowTs, beforeTs])).length > 0,
    /** Marks jobs as active and gives them: one a room, of rooms in which none is running. */
    takeDue: (shards: number[], nowTs: number, runningRooms: string[], limit: number) =>
      database.query(takeDue, [shards, nowTs, runningRooms, limit]),
    async nextTs(shards: number[], runningRooms: string[]): Promise<number | null> {
      return (await database.query(selectNext, [shards, runningRooms]))[0]?.dueTs ?? null;
    },
    async save(jobId: string, progress: object): Promise<void> {
      await database.query(saveProgress, [jobId, JSON.stringify(progress)]);
    },
    async postpone(jobId: string, dueTs: number): Promise<void> {
      await database.query(postpone, [jobId, dueTs]);
    },
    async finish(jobId: string, error: string | null, nowTs: number): Promise<void> {
      const status: JobStatus = error === null ? 'complete' : 'failed';
      await database.query(finish, [jobId, status, error, nowTs]);
    },
    async one(jobId: string): Promise<JobRow | null> {
      return (await database.query(selectJob, [jobId]))[0] ?? null;
    },
    /** Jobs that take the room away, begun or ended. */
    deletionsOf: (roomId: string) => database.query(selectOfRoom, [roomId]),
    async forgetEnded(beforeTs: number): Promise<void> {
      await database.query(forgetEnded, [beforeTs]);
    },
  };
}

interface At {
  nowTs: number;
  dueTs: number;
}

export type JobStore = ReturnType<typeof createJobStore>;
