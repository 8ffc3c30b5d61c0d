import { pino, type DestinationStream, type Logger } from 'pino';

/** What the server tells its admin. Objects become fields; messages are sentences. */
export type Log = Logger;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Lines of JSON, one an entry. Secrets do not belong in them. */
export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  const options = {
    level,
    base: undefined,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination ? pino(options, destination) : pino(options, process.stderr);
}
