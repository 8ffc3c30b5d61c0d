import { flag, oneOf } from './kinds.ts';
import { inert, option, section } from './option.ts';

export const loggingSection = section('Logs and metrics', 'What the server tells its admin.', {
  log_level: option(
    oneOf('debug', 'info', 'warn', 'error'),
    'info',
    'Entries that matter less are left out. `debug` has one for each request. The log goes to the ' +
      'standard error output: readable lines on a terminal, else an object of JSON a line.',
  ),
  enable_metrics: option(
    flag,
    false,
    'Accepted for the sake of existing files: a listener with the resource `metrics` has them.',
  ),
  ...inert({
    log_config: 'a file of Python’s logging',
    metrics_flags: 'further metrics',
    sentry: 'reports of errors',
    opentracing: 'traces',
    report_stats: 'nothing is ever reported to anybody',
    report_stats_endpoint: 'nothing is ever reported to anybody',
  }),
});
