import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createLocalRoles } from '../cluster/role.ts';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import { createLog } from '../kernel/log.ts';
import { MatrixError } from '../kernel/errors.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createTasks, TaskLeft, type Action, type RunningTask, type Tasks } from './module.ts';

let opened: TestDatabase;
before(async () => {
  opened = await createTestDatabase();
});
after(() => opened.close());

let now = 1_000;
const log = createLog('error');

/** A process that takes all tasks. */
function startProcess(actions: Record<string, Action>): Tasks {
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const clock = { now: () => now };
  const { database } = opened;
  const tasks = createTasks({ database, bus, roles: createLocalRoles(), clock, log });
  for (const [name, action] of Object.entries(actions)) tasks.register(name, action);
  tasks.start();
  return tasks;
}

/** Resolves when the work says so. */
function step(): { reached: Promise<void>; reach(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { reached: promise, reach: resolve };
}

/** How a task has ended; looked at again and again. */
async function ended(tasks: Tasks, taskId: string) {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const task = await tasks.get(taskId);
    if (task?.status === 'complete' || task?.status === 'failed') return task;
  }
}

test('what one process leaves another goes on with, from where it was', async () => {
  const half = step();
  const first = startProcess({
    count: {
      isUpdate: false,
      async work(task: RunningTask) {
        await task.save({ upto: 5 });
        half.reach();
        await new Promise((resolve) => {
          task.signal.addEventListener('abort', resolve);
        });
        await task.save({ upto: 6 });
        return 'the first process';
      },
    },
  });
  const taskId = (await first.schedule({ action: 'count', resourceId: 'a', params: { to: 9 } }))!;
  await half.reached;
  assert.equal((await first.get(taskId))!.status, 'active');
  await first.stop();
  assert.equal((await first.get(taskId))!.status, 'active', 'it has not ended');
  const seen: unknown[] = [];
  const second = startProcess({
    count: {
      isUpdate: false,
      async work(task: RunningTask) {
        seen.push(task.params, task.progress, task.resourceId);
        return { counted: 9 };
      },
    },
  });
  const task = await ended(second, taskId);
  assert.deepEqual(seen, [{ to: 9 }, { upto: 6 }, 'a']);
  assert.deepEqual([task.status, task.result], ['complete', '{"counted":9}']);
  await second.stop();
});

test('one task of an action is under way for a resource', async () => {
  const gate = step();
  const tasks = startProcess({ wait: { isUpdate: false, work: () => gate.reached } });
  const task = { action: 'wait', resourceId: 'r', params: null };
  const made = await Promise.all([tasks.schedule(task), tasks.schedule(task)]);
  assert.equal(made.filter((id) => id !== null).length, 1);
  assert.notEqual(await tasks.schedule({ ...task, resourceId: 'other' }), null);
  gate.reach();
  await ended(
    tasks,
    made.find((id) => id !== null)!,
  );
  assert.notEqual(await tasks.schedule(task), null, 'the other has ended');
  await tasks.stop();
});

test('a task that may not be done fails at once and says why', async () => {
  const tasks = startProcess({
    refuse: {
      isUpdate: false,
      work: () => Promise.reject(new MatrixError('M_FORBIDDEN', 'not this')),
    },
  });
  const task = { action: 'refuse', resourceId: null, params: null };
  const { status, error } = await ended(tasks, (await tasks.schedule(task))!);
  assert.deepEqual([status, error], ['failed', 'not this']);
  await tasks.stop();
});

test('updates wait while they are switched off', async () => {
  const [begun, left] = [step(), step()];
  const tasks = startProcess({
    update: {
      isUpdate: true,
      async work(task) {
        begun.reach();
        // Each step is written down, and so it learns that it is to wait.
        try {
          for (let items = 0; ; items++) {
            // oxlint-disable-next-line no-await-in-loop
            await task.save({ items, durationMs: 1 });
          }
        } catch (error) {
          if (error instanceof TaskLeft) left.reach();
          throw error;
        }
      },
    },
  });
  const [, , enable] = tasks.endpoints.filter(({ operation }) => operation.includes('Background'));
  assert.equal(enable!.operation, 'adminEnableBackgroundUpdates');
  const taskId = (await tasks.schedule({ action: 'update', resourceId: 'u', params: {} }))!;
  await begun.reached;
  await enable!.handle({ body: { enabled: false } } as never);
  await left.reached;
  await tasks.stop();
  const { status, progress } = (await tasks.get(taskId))!;
  assert.equal(status, 'active');
  assert.ok(JSON.parse(progress!).items >= 0);
});

test('ended tasks are forgotten after a week', async () => {
  const tasks = startProcess({ quick: { isUpdate: false, work: async () => null } });
  const taskId = (await tasks.schedule({ action: 'quick', resourceId: null, params: null }))!;
  await ended(tasks, taskId);
  const filter = { action: 'quick', resourceId: null, status: null, uptoTs: null };
  await tasks.tidy();
  assert.equal((await tasks.list(filter)).length, 1);
  now += 8 * 24 * 60 * 60 * 1000;
  await tasks.tidy();
  assert.equal(await tasks.get(taskId), null);
  await tasks.stop();
});
