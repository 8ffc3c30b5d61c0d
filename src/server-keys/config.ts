import type { ServerKey } from '../matrix/server-keys.ts';

/** A server that is asked for keys of servers that cannot be reached. */
export interface TrustedKeyServer {
  serverName: string;
  /** One of these must have signed what it says, by id, unpadded base64. Null: its certificate does. */
  keys: ReadonlyMap<string, string> | null;
}

/** What keys are published and fetched by; names of options in brackets. */
export interface ServerKeysConfig {
  serverName: string;
  /** [old_signing_keys], by id. */
  oldKeys: ReadonlyMap<string, ServerKey>;
  /** [key_refresh_interval]: for how long what is published is valid. */
  validMs: number;
  /** [trusted_key_servers] */
  trusted: readonly TrustedKeyServer[];
}
