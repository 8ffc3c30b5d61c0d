import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { taskStatuses, type TaskFilter, type TaskRow } from '../store/tasks.ts';

export interface ScheduledTasksNeeds {
  list(filter: TaskFilter): Promise<TaskRow[]>;
}

const status = Type.Optional(Type.Union(taskStatuses.map((one) => Type.Literal(one))));
const parsed = (text: string | null) => (text === null ? null : (JSON.parse(text) as unknown));

export const getScheduledTasks = endpoint<ScheduledTasksNeeds>()({
  operation: 'adminScheduledTasks',
  method: 'GET',
  paths: ['/_synapse/admin/v1/scheduled_tasks'],
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  summary: 'Long work that was started, and what has become of it',
  source: 'Synapse admin API, "Show scheduled tasks"',
  query: Type.Object({
    action_name: Type.Optional(Type.String()),
    resource_id: Type.Optional(Type.String()),
    status,
    /** What `status` was called before. */
    job_status: status,
    max_timestamp: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ query }, { list }) {
    const rows = await list({
      action: query.action_name || null,
      resourceId: query.resource_id || null,
      status: query.status ?? query.job_status ?? null,
      uptoTs: query.max_timestamp ?? null,
    });
    return {
      scheduled_tasks: rows.map((row) => ({
        id: row.taskId,
        action: row.action,
        status: row.status,
        timestamp_ms: row.changedTs,
        resource_id: row.resourceId,
        result: parsed(row.result),
        error: row.error,
      })),
    };
  },
});
