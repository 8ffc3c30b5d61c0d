import { pino, type DestinationStream, type Logger } from 'pino';

/** What the server tells its admin. Objects become fields; messages are sentences. */
export type Log = Logger;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Entries as lines of JSON, or, when the standard error output is a terminal, as lines for people.
 * Secrets do not belong in them.
 */
export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  const options = {
    level,
    base: undefined,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const stderr = process.stderr;
  return pino(options, destination ?? (stderr.isTTY ? readableLines(stderr) : stderr));
}

/** Turns lines of JSON into `12:34:56.789 info  message  key=value`, with stacks below; other lines stay. */
export function readableLines(output: DestinationStream): DestinationStream {
  return { write: (line) => output.write(readableLine(line)) };
}

/** Null: it is no entry, such as what Node.js itself says. */
function entryIn(line: string): Record<string, unknown> | null {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' ? (entry as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

function readableLine(line: string): string {
  const entry = entryIn(line);
  if (entry === null) return line;
  const { level, time, msg, err, ...fields } = entry;
  const clock = String(time).slice('2026-01-01T'.length, -1);
  const error = err as { message?: string; stack?: string } | undefined;
  const pairs = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const parts = [
    `${clock} ${String(level).padEnd(5)} ${typeof msg === 'string' ? msg : ''}`,
    ...pairs,
  ];
  const stack = error ? `\n  ${(error.stack ?? error.message ?? '').replaceAll('\n', '\n  ')}` : '';
  return `${parts.join('  ')}${stack}\n`;
}
