import type { AccountServices } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { NoticeSender } from '../server-notices/module.ts';
import { createTemplates } from '../templates/module.ts';
import { join } from 'node:path';
import type { ConsentConfig } from './config.ts';
import { createConsents, type Consents } from './consents.ts';
import { consentPages } from './endpoints/consent-page.ts';
import { guardByConsent } from './guard.ts';
import { createConsentNotices, type SyncingUser } from './notify.ts';
import { selectConsent, type ConsentRow } from './store/consents.ts';

export type { ConsentConfig } from './config.ts';
export type { Consents } from './consents.ts';

export interface ConsentNeeds {
  /** Null: there are no terms. */
  config: ConsentConfig | null;
  database: Database;
  clock: Clock;
  log: Log;
  accounts: AccountServices;
  /** Without a slash at the end. */
  baseUrl: string;
  /** Signs links. */
  secret: string;
  notices: NoticeSender | null;
}

export interface Consent {
  endpoints: Endpoint[];
  /** Null: there are no terms. */
  consents: Consents | null;
  /** What a user has accepted and been asked for, also when there are no terms any more; null: nothing. */
  stateOf(userNid: number): Promise<ConsentRow | null>;
  /** The endpoints of rooms, for those only who have accepted the terms. */
  guard(endpoints: readonly Endpoint[]): Endpoint[];
  /** A user syncs: asks for consent if need be. Returns at once. */
  noteSyncing(user: SyncingUser): void;
}

/** Terms that users accept. */
export function createConsent(needs: ConsentNeeds): Consent {
  const { config, database, clock, log, accounts, baseUrl, secret, notices } = needs;
  const stateOf = async (userNid: number) =>
    (await database.query(selectConsent, [userNid]))[0] ?? null;
  if (!config) {
    return {
      endpoints: [],
      consents: null,
      stateOf,
      guard: (endpoints) => [...endpoints],
      noteSyncing: () => undefined,
    };
  }
  const { version, blockError: message } = config;
  const { serverName } = accounts.config;
  const consents = createConsents({ database, clock, version, serverName, baseUrl, secret });
  const pages = {
    accounts,
    consents,
    version,
    templates: createTemplates(join(config.templatesFolder, 'en')),
    async acceptedBy(userNid: number) {
      return (await stateOf(userNid))?.acceptedVersion ?? null;
    },
  };
  return {
    endpoints: bindEndpoints(consentPages, pages),
    consents,
    stateOf,
    guard(endpoints) {
      if (message === null) return [...endpoints];
      const isNoticeRoom = async (roomId: string) => (await notices?.isNoticeRoom(roomId)) ?? false;
      return guardByConsent(endpoints, { consents, message, isNoticeRoom });
    },
    noteSyncing: notices
      ? createConsentNotices({
          config,
          consents,
          database,
          log,
          sender: notices,
          isGuest: async (userId) => (await accounts.directory.byUserId(userId))?.isGuest ?? true,
        })
      : () => undefined,
  };
}
