import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegistrations } from '../appservices/registration-files.ts';
import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import type { Log } from '../kernel/log.ts';

/** Where it is written which application services there are. */
export interface RegistrationSource {
  /** Configuration files, and folders with them, that name the registration files. */
  configPaths: readonly string[];
  /** The registration files that are named there now. Throws ConfigError. */
  files(): Promise<readonly string[]>;
}

export interface FollowRegistrationsNeeds {
  source: RegistrationSource;
  registrations: AppserviceRegistrations;
  serverName: string;
  log: Log;
}

/** Registrations that are read again when their files, or the list of them, have changed. */
export interface FollowedRegistrations {
  /** Reads them now. What is wrong is logged, and leaves everything as it is. */
  reload(): Promise<void>;
  stop(): void;
}

/** How often files are looked at; a look costs a system call for each. */
const lookMs = 2_000;

/** Changes whenever one of the files does. */
async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch(() => null);
      if (!found) return 'none';
      const within = found.isDirectory() ? await readdir(path).catch(() => []) : [];
      const entries = within
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => join(path, name));
      return `${found.ino} ${found.mtimeMs} ${found.size} ${await stampOf(entries)}`;
    }),
  );
  return stamps.join('\n');
}

const textOf = (all: AppserviceRegistrations['all']) =>
  JSON.stringify(all, (_key, value: unknown) => (value instanceof RegExp ? String(value) : value));

export function followRegistrations(needs: FollowRegistrationsNeeds): FollowedRegistrations {
  const { source, registrations, serverName, log } = needs;
  let files: readonly string[] = [];
  let stamp: string | null = null;
  let working: Promise<void> | null = null;

  /** `isAsked`: it is said even when nothing has changed. */
  async function read(isAsked: boolean): Promise<void> {
    files = await source.files();
    const all = await readRegistrations(files, serverName);
    const isSame = textOf(all) === textOf(registrations.all);
    if (!isSame) registrations.replace(all);
    if (isSame && !isAsked) return;
    const ids = all.map(({ id }) => id);
    log.info(
      { appservices: ids },
      'the registrations of application services have been read again',
    );
  }

  /** `isAsked`: whatever has changed. */
  async function look(isAsked: boolean): Promise<void> {
    const now = await stampOf([...source.configPaths, ...files]);
    const isFirst = stamp === null;
    if (!isAsked && now === stamp) return;
    stamp = now;
    try {
      await read(isAsked);
      // The files may be others now.
      stamp = await stampOf([...source.configPaths, ...files]);
    } catch (error) {
      const text = 'the registrations of application services stay as they are';
      if (!isFirst || isAsked) log.error({ err: error }, text);
    }
  }

  const next = (isAsked: boolean): Promise<void> => {
    const done = (working ?? Promise.resolve()).then(() => look(isAsked));
    working = done.finally(() => {
      working = null;
    });
    return done;
  };
  const timer = setInterval(() => {
    if (!working) void next(false);
  }, lookMs).unref();
  return { reload: () => next(true), stop: () => clearInterval(timer) };
}
