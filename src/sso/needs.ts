import type { AccountServices } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import type { Templates } from '../templates/module.ts';
import type { SsoConfig } from './config.ts';

/** The terms that new users accept. */
export interface SsoTerms {
  version: string;
  url: string;
  accept(userNid: number): Promise<void>;
}

export interface SsoNeeds {
  config: SsoConfig;
  database: Database;
  clock: Clock;
  log: Log;
  accounts: AccountServices;
  templates: Templates;
  /** Null: new users accept none. */
  terms: SsoTerms | null;
  /** To where pictures of users are, which providers name: nowhere inside. */
  outboundToAnybody: OutboundHttp;
  /** Keeps a picture on behalf of a user; gives its `mxc:` URI. */
  savePicture(userNid: number, bytes: Buffer, contentType: string): Promise<string>;
  /** To the providers that the admin has configured, wherever they are. */
  outbound: OutboundHttp;
}
