import type { Accounts } from '../accounts/module.ts';
import { createCommunities } from '../communities/module.ts';
import type { Foundation } from './domains.ts';

export function assembleCommunities({ config, database, clock }: Foundation, accounts: Accounts) {
  const { moderation } = accounts.services;
  const communities = createCommunities({
    database,
    clock,
    config: config.communities,
    localUser: async (userId) => (await moderation.localAccount(userId)).userNid,
  });
  accounts.events.subscribe(communities.accountEvents);
  return communities;
}
