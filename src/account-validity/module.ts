import type { AccountServices, AccountSubscriber } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import type { Email } from '../email/module.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Templates } from '../templates/module.ts';
import type { AccountValidityConfig } from './config.ts';
import { renewalEndpoints } from './endpoints/renewal.ts';
import { createRenewals } from './renewals.ts';
import { createRenewalStore } from './store/renewals.ts';

export type { AccountValidityConfig } from './config.ts';

export interface AccountValidityNeeds {
  /** Null: accounts do not expire. */
  config: AccountValidityConfig | null;
  database: Database;
  clock: Clock;
  log: Log;
  email: Email;
  templates: Templates;
  accounts: Pick<AccountServices, 'moderation' | 'profiles'>;
  /** What links in mails begin with, without a slash at the end. */
  baseUrl: string;
}

export interface AccountValidity {
  endpoints: Endpoint[];
  accountEvents: AccountSubscriber;
  /** Gives accounts an end and tells those whose end is near; to be called every minute or so. */
  sweep(): Promise<void>;
}

/** Accounts that expire unless they are renewed. */
export function createAccountValidity(needs: AccountValidityNeeds): AccountValidity {
  const { config, accounts, templates } = needs;
  if (!config) return { endpoints: [], accountEvents: {}, sweep: async () => undefined };
  const renewals = createRenewals({
    ...needs,
    config,
    store: createRenewalStore(needs.database),
    setValidUntil: accounts.moderation.setValidUntil,
    async displayNameOf({ userId }) {
      const { displayname } = await accounts.profiles.get(userId);
      return typeof displayname === 'string' ? displayname : userId;
    },
  });
  return {
    endpoints: bindEndpoints(renewalEndpoints, { config, renewals, templates, accounts }),
    accountEvents: {
      async registered(user) {
        if (!user.isGuest) await renewals.begin(user);
      },
    },
    sweep: () => renewals.sweep(),
  };
}
