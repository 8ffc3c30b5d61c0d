import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { TaskRow, TaskStore } from './store/tasks.ts';

/** A task that is being worked on. What is JSON is parsed. */
export interface RunningTask {
  readonly taskId: string;
  readonly resourceId: string | null;
  readonly params: unknown;
  /** How far it was when it was last left; null: it begins. */
  readonly progress: unknown;
  /** The work goes to another process, or is to wait: end with `TaskLeft` soon. */
  readonly signal: AbortSignal;
  /** Writes down how far it is: from there another process goes on. Throws TaskLeft when aborted. */
  save(progress: unknown): Promise<void>;
}

/** Does a task and gives its result, which is stored as JSON. What it throws is why it failed. */
export type TaskWork = (task: RunningTask) => Promise<unknown>;

export interface Action {
  work: TaskWork;
  /** It brings stored data up to date, and waits while background updates are switched off. */
  isUpdate: boolean;
}

/** The work was left for another process, or for later. */
export class TaskLeft extends Error {
  constructor() {
    super('the task is left');
    this.name = 'TaskLeft';
  }
}

/** Tasks that one process works on at a time. */
const runningMax = 4;
/** Looked at without being told: what told of a task may have been lost. */
const lookMs = 30_000;
/** After a failure that may pass. */
const retryMs = 5_000;
/** Failures in a row that may pass before a task is given up. */
const failuresMax = 5;

/** Works on the tasks of the shards that are held here. */
export interface TaskRunner {
  take(shards: readonly number[]): void;
  release(shards: readonly number[]): Promise<void>;
  /** There may be something to do. */
  look(): void;
  stop(): Promise<void>;
}

export interface RunnerNeeds {
  store: TaskStore;
  clock: Clock;
  log: Log;
  actions: ReadonlyMap<string, Action>;
}

interface Run {
  row: TaskRow;
  abort: AbortController;
  done: Promise<void>;
}

export function createTaskRunner({ store, clock, log, actions }: RunnerNeeds): TaskRunner {
  const held = new Set<number>();
  const runs = new Map<string, Run>();
  const failures = new Map<string, { count: number; untilTs: number }>();
  let timer: NodeJS.Timeout | null = null;
  let looking: Promise<void> | null = null;
  let isLookWanted = false;
  let isStopped = false;

  function running(row: TaskRow, { isUpdate }: Action, signal: AbortSignal): RunningTask {
    const { taskId, resourceId, params, progress } = row;
    const parsed = (text: string | null) => (text === null ? null : (JSON.parse(text) as unknown));
    return {
      taskId,
      resourceId,
      params: parsed(params),
      progress: parsed(progress),
      signal,
      async save(saved) {
        await store.progress(taskId, clock.now(), JSON.stringify(saved));
        if (signal.aborted || (isUpdate && !(await store.areUpdatesEnabled()))) {
          throw new TaskLeft();
        }
      },
    };
  }

  /** How it ends; null: it is to be tried again. */
  function endOf(
    taskId: string,
    error: unknown,
  ): Pick<TaskRow, 'status' | 'result' | 'error'> | null {
    const count = (failures.get(taskId)?.count ?? 0) + 1;
    const mayPass = !(error instanceof MatrixError) && count < failuresMax;
    if (mayPass) failures.set(taskId, { count, untilTs: clock.now() + retryMs });
    else failures.delete(taskId);
    const message = error instanceof Error ? error.message : String(error);
    return mayPass ? null : { status: 'failed', result: null, error: message };
  }

  async function work(row: TaskRow, signal: AbortSignal): Promise<void> {
    const { taskId, action } = row;
    try {
      await store.progress(taskId, clock.now(), null);
      const how = actions.get(action)!;
      const result = await how.work(running(row, how, signal));
      failures.delete(taskId);
      const text = result === undefined ? null : JSON.stringify(result);
      await store.end(taskId, clock.now(), { status: 'complete', result: text, error: null });
    } catch (error) {
      if (error instanceof TaskLeft || signal.aborted) return;
      log.warn({ err: error, taskId, action }, 'a task failed');
      const end = endOf(taskId, error);
      if (end) await store.end(taskId, clock.now(), end);
    }
  }

  function start(row: TaskRow): void {
    const abort = new AbortController();
    const done = work(row, abort.signal)
      .catch((error: unknown) => log.warn({ err: error, taskId: row.taskId }, 'a task was left'))
      .finally(() => {
        runs.delete(row.taskId);
        if (!abort.signal.aborted) look();
      });
    runs.set(row.taskId, { row, abort, done });
  }

  async function startWaiting(): Promise<void> {
    if (held.size === 0) return;
    const areUpdatesEnabled = await store.areUpdatesEnabled();
    const names = [...actions].filter(([, { isUpdate }]) => areUpdatesEnabled || !isUpdate);
    const open = await store.open(
      [...held],
      names.map(([name]) => name),
      runningMax * 2,
    );
    for (const row of open) {
      if (isStopped || runs.size >= runningMax) return;
      const isDue = (failures.get(row.taskId)?.untilTs ?? 0) <= clock.now();
      if (isDue && held.has(row.shard) && !runs.has(row.taskId)) start(row);
    }
  }

  function lookIn(ms: number): void {
    if (timer) clearTimeout(timer);
    if (isStopped || held.size === 0) return;
    timer = setTimeout(look, ms);
    timer.unref();
  }

  function look(): void {
    if (isStopped || held.size === 0) return;
    isLookWanted = true;
    looking ??= (async () => {
      while (isLookWanted) {
        isLookWanted = false;
        // oxlint-disable-next-line no-await-in-loop
        await startWaiting();
      }
    })()
      .then(() => lookIn(failures.size > 0 ? retryMs : lookMs))
      .catch((error: unknown) => {
        log.warn({ err: error }, 'tasks could not be looked for');
        lookIn(retryMs);
      })
      .finally(() => {
        looking = null;
      });
  }

  async function leave(which: (run: Run) => boolean): Promise<void> {
    const left = [...runs.values()].filter(which);
    for (const { abort } of left) abort.abort();
    await Promise.all(left.map(({ done }) => done));
  }

  return {
    take(shards) {
      for (const shard of shards) held.add(shard);
      look();
    },
    async release(shards) {
      for (const shard of shards) held.delete(shard);
      await looking;
      await leave(({ row }) => shards.includes(row.shard));
    },
    look,
    async stop() {
      isStopped = true;
      if (timer) clearTimeout(timer);
      await looking;
      await leave(() => true);
    },
  };
}
