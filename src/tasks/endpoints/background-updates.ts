import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { TaskFilter, TaskRow } from '../store/tasks.ts';

export interface BackgroundUpdatesNeeds {
  areEnabled(): Promise<boolean>;
  enable(areEnabled: boolean): Promise<void>;
  list(filter: TaskFilter): Promise<TaskRow[]>;
  schedule(task: { action: string; resourceId: string; params: unknown }): Promise<string | null>;
  /** Whether an action brings stored data up to date. */
  isUpdate(action: string): boolean;
}

/** What updates write down of how far they are. */
export interface UpdateProgress {
  items: number;
  /** Spent on it, in milliseconds. */
  durationMs: number;
}

const declare = endpoint<BackgroundUpdatesNeeds>();
const path = '/_synapse/admin/v1/background_updates';
const shared = {
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  source: 'Synapse, "Background Updates API"',
} as const;

/** How Synapse calls the one database there is. */
const databaseName = 'master';

function shownUpdate({ action, progress }: TaskRow) {
  const { items = 0, durationMs = 0 } = JSON.parse(progress ?? '{}') as Partial<UpdateProgress>;
  return {
    name: action,
    total_item_count: items,
    total_duration_ms: durationMs,
    average_items_per_ms: durationMs > 0 ? items / durationMs : 0,
  };
}

const status = declare({
  ...shared,
  operation: 'adminBackgroundUpdatesStatus',
  method: 'GET',
  paths: [`${path}/status`],
  summary: 'What is being brought up to date',
  errors: ['M_FORBIDDEN'],
  async handle(_context, { areEnabled, list, isUpdate }) {
    const active = { action: null, resourceId: null, status: 'active', uptoTs: null };
    const [enabled, rows] = await Promise.all([areEnabled(), list(active)]);
    const current = rows.find(({ action }) => isUpdate(action));
    return {
      enabled,
      current_updates: current ? { [databaseName]: shownUpdate(current) } : {},
    };
  },
});

const getEnabled = declare({
  ...shared,
  operation: 'adminBackgroundUpdatesEnabled',
  method: 'GET',
  paths: [`${path}/enabled`],
  summary: 'Whether stored data is brought up to date in the background',
  errors: ['M_FORBIDDEN'],
  handle: async (_context, { areEnabled }) => ({ enabled: await areEnabled() }),
});

const setEnabled = declare({
  ...shared,
  operation: 'adminEnableBackgroundUpdates',
  method: 'POST',
  paths: [`${path}/enabled`],
  summary: 'Lets that wait, or go on',
  body: Type.Object({ enabled: Type.Optional(Type.Boolean()) }),
  errors: ['M_FORBIDDEN'],
  async handle({ body }, { enable }) {
    const enabled = body.enabled ?? true;
    await enable(enabled);
    return { enabled };
  },
});

const startJob = declare({
  ...shared,
  operation: 'adminStartBackgroundUpdate',
  method: 'POST',
  paths: [`${path}/start_job`],
  summary: 'Has stored data made anew',
  body: Type.Object({ job_name: Type.String() }),
  errors: ['M_FORBIDDEN', 'M_MISSING_PARAM', 'M_UNKNOWN'],
  async handle({ body: { job_name: action } }, { schedule, isUpdate }) {
    if (!isUpdate(action)) throw new MatrixError('M_UNKNOWN', 'Invalid job_name');
    if (await schedule({ action, resourceId: action, params: {} })) return {};
    const message = `Job ${action} is already in queue of background updates.`;
    throw new MatrixError('M_UNKNOWN', message);
  },
});

export const backgroundUpdateEndpoints = [status, getEnabled, setEnabled, startJob];
