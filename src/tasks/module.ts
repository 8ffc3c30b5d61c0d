import { defineRole, shardOf, type Roles } from '../cluster/role.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { randomLetters } from '../kernel/random.ts';
import { backgroundUpdateEndpoints } from './endpoints/background-updates.ts';
import { getScheduledTasks } from './endpoints/scheduled-tasks.ts';
import type { Bus } from '../streams/bus.ts';
import { createTaskRunner, type Action } from './runner.ts';
import { taskStream } from './streams.ts';
import { createTaskStore, type TaskFilter, type TaskRow } from './store/tasks.ts';

export { TaskLeft, type Action, type RunningTask, type TaskWork } from './runner.ts';
export type { TaskRow, TaskStatus } from './store/tasks.ts';

/** Doing long work, by task. */
export const taskRole = defineRole('scheduled_tasks', 8);

export interface NewTask {
  action: string;
  /** What it is about; one task of an action at a time for each. Null: any number. */
  resourceId: string | null;
  params: unknown;
}

/** Long work that is done in the background by one process at a time, whatever becomes of it. */
export interface Tasks {
  endpoints: Endpoint[];
  /** What is to be done for an action; before any process takes tasks, so while it starts. */
  register(action: string, how: Action): void;
  /** Gives the task's id; null: one of this action is under way for the resource. */
  schedule(task: NewTask): Promise<string | null>;
  /** Null: there is none, or it has ended long ago. */
  get(taskId: string): Promise<TaskRow | null>;
  /** The oldest first. */
  list(filter: TaskFilter): Promise<TaskRow[]>;
  /** Begins to take tasks, when all actions are registered. */
  start(): void;
  /** Forgets what ended long ago. */
  tidy(): Promise<void>;
  stop(): Promise<void>;
}

export interface TasksNeeds {
  database: Database;
  bus: Bus;
  roles: Roles;
  clock: Clock;
  log: Log;
}

const taskIdLetters = 16;
const endedKeptMs = 7 * 24 * 60 * 60 * 1000;
const listedMax = 1_000;

export function createTasks({ database, bus, roles, clock, log }: TasksNeeds): Tasks {
  const store = createTaskStore(database);
  const actions = new Map<string, Action>();
  const runner = createTaskRunner({ store, clock, log, actions });

  function tell(reason: 'scheduled' | 'enabled'): void {
    bus.publish([{ stream: taskStream, pos: bus.nextEphemeral(), row: { reason } }]);
  }
  bus.subscribe(taskStream, () => runner.look());
  // What told of a task may be among what was missed.
  bus.onMissed(() => runner.look());

  const list = (filter: TaskFilter) => store.list(filter, listedMax);

  async function schedule({ action, resourceId, params }: NewTask): Promise<string | null> {
    if (!actions.has(action)) throw new Error(`nobody does ${action}`);
    const taskId = randomLetters(taskIdLetters);
    const shard = shardOf(taskRole, taskId);
    const task = { taskId, shard, action, resourceId, params: JSON.stringify(params) };
    if (!(await store.add(task, clock.now()))) return null;
    tell('scheduled');
    return taskId;
  }

  return {
    endpoints: [
      ...bindEndpoints([getScheduledTasks], { list }),
      ...bindEndpoints(backgroundUpdateEndpoints, {
        areEnabled: store.areUpdatesEnabled,
        async enable(isEnabled) {
          await store.enableUpdates(isEnabled);
          if (isEnabled) tell('enabled');
        },
        list,
        schedule,
        isUpdate: (action) => actions.get(action)?.isUpdate ?? false,
      }),
    ],
    register(action, how) {
      if (actions.has(action)) throw new Error(`${action} is registered twice`);
      actions.set(action, how);
    },
    schedule,
    get: (taskId) => store.one(taskId),
    list,
    start() {
      roles.serve(taskRole, {
        methods: {},
        taken: (shards) => runner.take(shards),
        released: (shards) => runner.release(shards),
      });
    },
    async tidy() {
      await store.forget(clock.now() - endedKeptMs);
    },
    stop: () => runner.stop(),
  };
}
