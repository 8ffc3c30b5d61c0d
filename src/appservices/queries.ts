import type { Log } from '../kernel/log.ts';
import type { AppserviceClient } from './client.ts';
import {
  isInterestedInUser,
  matches,
  type AppserviceRegistration,
  type AppserviceRegistrations,
} from './registrations.ts';

/**
 * Asks services for what nobody here knows; they make it before they answer.
 * Source: application service API 1.19, "Querying".
 */
export interface AppserviceQueries {
  /** Whether a service says that there is such a user of this server. */
  hasUser(userId: string): Promise<boolean>;
  /** Whether a service says that there is such a room alias of this server. */
  hasAlias(alias: string): Promise<boolean>;
}

export interface AppserviceQueriesNeeds {
  client: AppserviceClient;
  registrations: Pick<AppserviceRegistrations, 'all'>;
  log: Log;
}

/** Making a room may take a while; clients wait. */
const timeoutMs = 30_000;
/** Whoever asks for more than that at once is told that there is nothing. */
const askingMax = 500;

export function createAppserviceQueries(needs: AppserviceQueriesNeeds): AppserviceQueries {
  const { client, registrations, log } = needs;
  /** One question at a time for each id. */
  const asking = new Map<string, Promise<boolean>>();

  async function isKnownTo(service: AppserviceRegistration, kind: string, id: string) {
    const path = `/${kind}/${encodeURIComponent(id)}`;
    try {
      const answer = await client.ask(service, {
        method: 'GET',
        path,
        legacyPath: path,
        timeoutMs,
      });
      return answer.status >= 200 && answer.status <= 299;
    } catch (error) {
      log.warn({ err: error, appservice: service.id }, 'an application service cannot be asked');
      return false;
    }
  }

  async function ask(services: AppserviceRegistration[], kind: string, id: string) {
    for (const service of services) {
      // oxlint-disable-next-line no-await-in-loop -- the first that knows it is enough
      if (await isKnownTo(service, kind, id)) return true;
    }
    return false;
  }

  async function once(kind: string, id: string, isFor: (one: AppserviceRegistration) => boolean) {
    const services = registrations.all.filter((one) => one.url !== null && isFor(one));
    if (services.length === 0) return false;
    const known = asking.get(id);
    if (known) return known;
    if (asking.size >= askingMax) return false;
    const answer = ask(services, kind, id).finally(() => asking.delete(id));
    asking.set(id, answer);
    return answer;
  }

  return {
    hasUser: (userId) => once('users', userId, (one) => isInterestedInUser(one, userId)),
    hasAlias: (alias) => once('rooms', alias, (one) => matches(one.namespaces.aliases, alias)),
  };
}
