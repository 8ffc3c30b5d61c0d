import { isDuplicate, type Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

export type TaskStatus = 'scheduled' | 'active' | 'complete' | 'failed';
export const taskStatuses: readonly TaskStatus[] = ['scheduled', 'active', 'complete', 'failed'];

/** A task as it is stored; what is JSON is text. */
export interface TaskRow {
  taskId: string;
  shard: number;
  action: string;
  status: TaskStatus;
  /** Milliseconds since 1970. */
  changedTs: number;
  resourceId: string | null;
  params: string;
  progress: string | null;
  result: string | null;
  error: string | null;
}

/** Null: does not matter. */
export interface TaskFilter {
  action: string | null;
  resourceId: string | null;
  status: string | null;
  /** Changed at this time or before. */
  uptoTs: number | null;
}

const columns = `task_id as "taskId", shard, action, status, changed_ts as "changedTs",
  resource_id as "resourceId", params, progress, result, error`;

const insertTask = statement<
  [
    taskId: string,
    shard: number,
    action: string,
    nowTs: number,
    resourceId: string | null,
    params: string,
  ],
  object
>(
  'tasks.insert',
  `insert into scheduled_tasks (task_id, shard, action, status, changed_ts, resource_id, params)
   values ($1, $2, $3, 'scheduled', $4, $5, $6)`,
);

const selectTask = statement<[taskId: string], TaskRow>(
  'tasks.one',
  `select ${columns} from scheduled_tasks where task_id = $1`,
);

const selectTasks = statement<
  [
    action: string | null,
    resourceId: string | null,
    status: string | null,
    uptoTs: number | null,
    limit: number,
  ],
  TaskRow
>(
  'tasks.list',
  `select ${columns} from scheduled_tasks
   where ($1::text is null or action = $1) and ($2::text is null or resource_id = $2)
     and ($3::text is null or status = $3) and ($4::bigint is null or changed_ts <= $4)
   order by changed_ts, task_id limit $5`,
);

const selectOpen = statement<[shards: number[], actions: string[], limit: number], TaskRow>(
  'tasks.open',
  `select ${columns} from scheduled_tasks
   where shard = any($1) and action = any($2) and status in ('scheduled', 'active')
   order by changed_ts limit $3`,
);

const updateProgress = statement<[taskId: string, nowTs: number, progress: string | null], object>(
  'tasks.progress',
  `update scheduled_tasks
   set status = 'active', changed_ts = $2, progress = coalesce($3, progress)
   where task_id = $1 and status in ('scheduled', 'active')`,
);

const endTask = statement<
  [taskId: string, nowTs: number, status: string, result: string | null, error: string | null],
  object
>(
  'tasks.end',
  `update scheduled_tasks set status = $3, changed_ts = $2, result = $4, error = $5
   where task_id = $1 and status in ('scheduled', 'active')`,
);

const deleteEnded = statement<[beforeTs: number], object>(
  'tasks.delete_ended',
  `delete from scheduled_tasks where changed_ts < $1 and status in ('complete', 'failed')`,
);

const selectSwitch = statement<[], { isEnabled: boolean }>(
  'tasks.updates_enabled',
  'select is_enabled as "isEnabled" from background_updates',
);

const setSwitch = statement<[isEnabled: boolean], object>(
  'tasks.enable_updates',
  'update background_updates set is_enabled = $1',
);

export function createTaskStore(database: Queryable) {
  return {
    /** False: one of this action is under way for the resource. */
    async add(
      task: Pick<TaskRow, 'taskId' | 'shard' | 'action' | 'resourceId' | 'params'>,
      nowTs: number,
    ) {
      const { taskId, shard, action, resourceId, params } = task;
      try {
        await database.query(insertTask, [taskId, shard, action, nowTs, resourceId, params]);
        return true;
      } catch (error) {
        if (isDuplicate(error, 'scheduled_tasks_resource')) return false;
        throw error;
      }
    },
    async one(taskId: string) {
      return (await database.query(selectTask, [taskId]))[0] ?? null;
    },
    list: ({ action, resourceId, status, uptoTs }: TaskFilter, limit: number) =>
      database.query(selectTasks, [action, resourceId, status, uptoTs, limit]),
    /** Tasks that have not ended, the one that changed longest ago first. */
    open: (shards: readonly number[], actions: readonly string[], limit: number) =>
      database.query(selectOpen, [[...shards], [...actions], limit]),
    async progress(taskId: string, nowTs: number, progress: string | null) {
      await database.query(updateProgress, [taskId, nowTs, progress]);
    },
    async end(
      taskId: string,
      nowTs: number,
      { status, result, error }: Pick<TaskRow, 'status' | 'result' | 'error'>,
    ) {
      await database.query(endTask, [taskId, nowTs, status, result, error]);
    },
    async forget(beforeTs: number) {
      await database.query(deleteEnded, [beforeTs]);
    },
    async areUpdatesEnabled(): Promise<boolean> {
      return (await database.query(selectSwitch, []))[0]?.isEnabled ?? true;
    },
    async enableUpdates(isEnabled: boolean) {
      await database.query(setSwitch, [isEnabled]);
    },
  };
}

export type TaskStore = ReturnType<typeof createTaskStore>;
