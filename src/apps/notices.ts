import { createHash } from 'node:crypto';
import type { AccountDataModule } from '../account-data/module.ts';
import type { Accounts } from '../accounts/module.ts';
import { createConsent } from '../consent/module.ts';
import type { Endpoint } from '../http/endpoint.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { Rooms } from '../rooms/module.ts';
import { createServerNotices } from '../server-notices/module.ts';
import type { Foundation } from './domains.ts';

interface Others {
  accounts: Accounts;
  rooms: Rooms;
  accountData: Pick<AccountDataModule, 'data'>;
}

/** A secret that every process has and nobody else: signatures of one key are always the same. */
const secretOf = (key: SigningKey) =>
  createHash('sha256').update(key.sign('secret of forms')).digest('base64');

const noticeTag = 'm.server_notice';

/** Notices of the server, and terms that users accept. */
export function assembleNotices(foundation: Foundation, others: Others) {
  const { config, database, clock, log, signingKey } = foundation;
  const { accounts, rooms, accountData } = others;
  const notices = createServerNotices({
    config: config.notices.serverNotices,
    database,
    accounts: accounts.services,
    rooms: rooms.services,
    tag: (userNid, roomNid) =>
      accountData.data.change(userNid, roomNid, 'm.tag', (before) => {
        const { tags = {} } = JSON.parse(before ?? '{}') as { tags?: Record<string, unknown> };
        return JSON.stringify({ tags: { ...tags, [noticeTag]: {} } });
      }),
  });
  const consent = createConsent({
    config: config.notices.consent,
    database,
    clock,
    log,
    accounts: accounts.services,
    baseUrl: config.publicBaseUrl ?? `https://${config.serverName}`,
    secret: config.notices.formSecret ?? secretOf(signingKey),
    notices: notices.sender,
  });
  return {
    consent,
    endpoints: [...notices.endpoints, ...consent.endpoints],
    /** The endpoints of rooms, with what notices and terms forbid. */
    guard: (endpoints: readonly Endpoint[]) => consent.guard(notices.guard(endpoints)),
  };
}
