import { FederationError } from '../federation-client/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';

/** Why a server's part of an answer is missing (client-server spec, `failures` of `/keys/query`). */
export interface Failure {
  status: number;
  message: string;
  errcode?: string;
}

/** By server name. */
export type Failures = Record<string, Failure>;

/** Servers that are asked at a time. */
const sideBySideMax = 50;

const notInTime: Failure = { status: 504, message: 'The server has not answered in time' };

const textIn = (body: JsonObject | null | undefined, member: string): string | null => {
  const value = body?.[member];
  return typeof value === 'string' ? value : null;
};

/** Throws what is no failure of the other server. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof FederationError)) throw error;
  const { reason, answer } = error;
  if (reason === 'timeout') return notInTime;
  if (reason !== 'refused') return { status: 503, message: error.message };
  const errcode = textIn(answer?.body, 'errcode');
  const message = textIn(answer?.body, 'error') ?? error.message;
  return { status: answer?.status ?? 502, message, ...(errcode === null ? {} : { errcode }) };
}

/**
 * Asks servers side by side for a time, and says who has not answered. What comes later goes on by
 * itself. `ask` is told how long there is, milliseconds. Throws what else goes wrong meanwhile.
 */
export async function askServers<T>(
  byServer: ReadonlyMap<string, readonly T[]>,
  timeoutMs: number,
  ask: (serverName: string, wanted: readonly T[], leftMs: number) => Promise<void>,
): Promise<Failures> {
  if (byServer.size === 0) return {};
  const failures = new Map<string, Failure>();
  for (const serverName of byServer.keys()) failures.set(serverName, notInTime);
  const until = performance.now() + timeoutMs;
  const waiting = byServer.entries();
  async function askOnes(): Promise<void> {
    for (const [serverName, wanted] of waiting) {
      const leftMs = Math.ceil(until - performance.now());
      if (leftMs <= 0) return;
      try {
        // oxlint-disable-next-line no-await-in-loop
        await ask(serverName, wanted, leftMs);
        failures.delete(serverName);
      } catch (error) {
        failures.set(serverName, failureOf(error));
      }
    }
  }
  const runners = Array.from({ length: Math.min(sideBySideMax, byServer.size) }, askOnes);
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  try {
    await Promise.race([Promise.all(runners), isOver]);
  } finally {
    clearTimeout(timer);
  }
  return Object.fromEntries(failures);
}
