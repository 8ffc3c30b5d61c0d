import type { AccountServices } from '../accounts/module.ts';
import type { Email } from '../email/module.ts';
import type { RateLimiter } from '../http/rate-limiter.ts';
import type { Templates } from '../templates/module.ts';
import type { ThreepidsConfig } from './config.ts';
import type { IdentityServers } from './identity-servers.ts';
import type { MsisdnDelegate } from './msisdn-delegate.ts';
import type { Validated, Validation } from './validation.ts';

/** What the endpoints of this domain work with. */
export interface ThreepidServices {
  config: ThreepidsConfig;
  accounts: Pick<AccountServices, 'directory' | 'reauthFlows' | 'threepids' | 'uiAuth'>;
  email: Email;
  identityServers: IdentityServers;
  limiter: RateLimiter;
  /** Null: phone numbers cannot be validated. */
  msisdn: MsisdnDelegate | null;
  templates: Templates;
  validation: Validation;
  /** What a session has proven, whoever holds the session. */
  proven(sid: string, clientSecret: string): Promise<Validated | null>;
}
