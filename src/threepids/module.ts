import type { AccountServices, ThreepidWork } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import type { Email } from '../email/module.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { RateLimiter } from '../http/rate-limiter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { Templates } from '../templates/module.ts';
import type { ThreepidsConfig } from './config.ts';
import { accountThreepidEndpoints } from './endpoints/account-threepids.ts';
import { requestTokenEndpoints } from './endpoints/request-tokens.ts';
import { exchangeInvite } from './endpoints/exchange-invite.ts';
import { onBind } from './endpoints/on-bind.ts';
import { submitPages } from './endpoints/submit-pages.ts';
import { createIdentityServers } from './identity-servers.ts';
import { sendToConfigured, type SendJson } from '../http/json-client.ts';
import { createMsisdnDelegate } from './msisdn-delegate.ts';
import { createRedeemedInvites, type RedeemedInvitesNeeds } from './redeemed-invites.ts';
import { createRoomInvites, type RoomInvites } from './room-invites.ts';
import type { ThreepidServices } from './services.ts';
import { createThreepidWork, threepidStage } from './threepid-work.ts';
import { createValidation } from './validation.ts';

export type { ThreepidsConfig } from './config.ts';

export interface ThreepidsNeeds {
  database: Database;
  clock: Clock;
  config: ThreepidsConfig;
  email: Email;
  limiter: RateLimiter;
  signingKey: SigningKey;
  templates: Templates;
  /** To servers that clients name: never to addresses inside. */
  sendOutside: SendJson;
  federation: RedeemedInvitesNeeds['federation'];
  passOn: RedeemedInvitesNeeds['passOn'];
  log: Log;
  /** Accounts, which in their turn need `accountWork`. */
  accounts(): AccountServices;
  /** Rooms, which in their turn need `inviteByThreepid`. */
  rooms(): RoomServices;
}

export interface Threepids {
  /** What accounts leave to this domain. */
  accountWork: ThreepidWork;
  inviteByThreepid: RoomServices['inviteByThreepid'];
  /** To be called once accounts and rooms are there. */
  start(): Endpoint[];
  /** Forgets what is over; to be called every minute or so. */
  tidy(): Promise<void>;
}

/** Mail addresses and phone numbers: who proves them, who has them, who is told of them. */
export function createThreepids(needs: ThreepidsNeeds): Threepids {
  const { database, clock, config, email, limiter, signingKey, templates } = needs;
  const validation = createValidation({ database, clock, email, config });
  const { msisdnDelegate: url, serverName } = config;
  const msisdn = url === null ? null : createMsisdnDelegate(url, config.baseUrl, sendToConfigured);
  const identityServers = createIdentityServers({
    database,
    serverName,
    signingKey,
    send: needs.sendOutside,
  });

  const services = (): ThreepidServices => ({
    config,
    accounts: needs.accounts(),
    email,
    identityServers,
    limiter,
    msisdn,
    templates,
    validation,
    proven: async (sid, clientSecret) =>
      (await validation.validated(sid, clientSecret)) ??
      (msisdn ? msisdn.validated(sid, clientSecret) : null),
  });

  let roomInvites: RoomInvites | null = null;
  const invites = () =>
    (roomInvites ??= createRoomInvites({
      rooms: needs.rooms(),
      limiter,
      sendOutside: needs.sendOutside,
      looksUp: config.looksUp,
      clientLocation: config.mail?.inviteClientLocation ?? null,
    }));

  return {
    inviteByThreepid: (...args) => invites().invite(...args),
    accountWork: createThreepidWork(services),
    start() {
      const all = services();
      const { uiAuth } = all.accounts;
      uiAuth.addStage('m.login.email.identity', threepidStage('email', all.proven));
      uiAuth.addStage('m.login.msisdn', threepidStage('msisdn', all.proven));
      return [
        ...bindEndpoints(
          [...accountThreepidEndpoints, ...requestTokenEndpoints, ...submitPages],
          all,
        ),
        ...bindEndpoints([onBind, exchangeInvite], {
          redeemedInvites: createRedeemedInvites({ ...needs, serverName, rooms: needs.rooms() }),
          async isActive(userId) {
            const account = await all.accounts.directory.byUserId(userId);
            return account !== null && !account.isDeactivated;
          },
          log: needs.log,
        }),
      ];
    },
    tidy: () => validation.removeOld(),
  };
}
