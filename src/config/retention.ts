import { duration, flag, list } from './kinds.ts';
import { group, mappingOf, option, optional, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

const policy = {
  min_lifetime: optional(duration, 'Accepted, and without effect.'),
  max_lifetime: optional(duration, 'How long messages are kept.'),
};

const purgeJob = {
  interval: option(duration, 0, 'How often the job runs.'),
  shortest_max_lifetime: optional(duration, 'Only for rooms whose lifetime is longer.'),
  longest_max_lifetime: optional(duration, 'Only for rooms whose lifetime is no longer.'),
};

const members = {
  enabled: option(flag, false, 'Policies have an effect.'),
  default_policy: optional(mappingOf(policy), 'For rooms that have none of their own.', {
    members: policy,
  }),
  allowed_lifetime_min: optional(duration, 'Nothing is deleted that is younger.'),
  allowed_lifetime_max: optional(
    duration,
    'In rooms with a policy everything is deleted that is older.',
  ),
  purge_jobs: option(list(mappingOf(purgeJob)), [], 'When what is too old is deleted.', {
    members: purgeJob,
    defaultText: 'one job for all, once a day',
    example:
      '\n  - {longest_max_lifetime: 3d, interval: 12h}\n  - {shortest_max_lifetime: 3d, interval: 1d}',
  }),
};

/** `retention` of the configuration. */
export const retention = group(
  members,
  'How long messages are kept, by `max_lifetime` (in milliseconds) of `m.room.retention` in the ' +
    'state of a room. What is older is hidden at once, and deleted by the next purge job. State, and ' +
    'the newest event of a room, are never deleted.',
);

/** Deletes what is too old in rooms whose lifetime is within the bounds. Milliseconds. */
export interface PurgeJob {
  everyMs: number;
  /** Exclusive; null: none. */
  aboveMs: number | null;
  /** Inclusive; null: none. */
  uptoMs: number | null;
}

export interface RetentionConfig {
  /** Of rooms without a policy; null: for ever. */
  defaultMs: number | null;
  allowedMinMs: number | null;
  allowedMaxMs: number | null;
  purgeJobs: readonly PurgeJob[];
}

const dayMs = 86_400_000;
const isAbove = (one: number | null, other: number | null) =>
  one !== null && other !== null && one > other;

/** Null: switched off. */
export function readRetention(
  loader: OptionLoader,
  values: ValuesOf<typeof members>,
): RetentionConfig | null {
  const { default_policy: byDefault, allowed_lifetime_min: allowedMinMs } = values;
  const { allowed_lifetime_max: allowedMaxMs } = values;
  const at = (...path: (string | number)[]) => loader.at('retention', ...path);
  if (byDefault && isAbove(byDefault.min_lifetime, byDefault.max_lifetime)) {
    at('default_policy', 'min_lifetime').problem('must not be above max_lifetime');
  }
  if (isAbove(allowedMinMs, allowedMaxMs)) {
    at('allowed_lifetime_min').problem('must not be above allowed_lifetime_max');
  }
  for (const [i, job] of values.purge_jobs.entries()) {
    if (job.interval === 0) at('purge_jobs', i).problem('needs an interval');
    if (isAbove(job.shortest_max_lifetime, job.longest_max_lifetime)) {
      at('purge_jobs', i, 'shortest_max_lifetime').problem(
        'must not be above longest_max_lifetime',
      );
    }
  }
  if (!values.enabled) return null;
  const jobs = values.purge_jobs.map((job) => ({
    everyMs: job.interval,
    aboveMs: job.shortest_max_lifetime,
    uptoMs: job.longest_max_lifetime,
  }));
  return {
    defaultMs: byDefault?.max_lifetime ?? null,
    allowedMinMs,
    allowedMaxMs,
    purgeJobs: jobs.length > 0 ? jobs : [{ everyMs: dayMs, aboveMs: null, uptoMs: null }],
  };
}
