import { bracketed, parseServerName, type ServerName } from './server-name.ts';
import type { ServiceRecords } from './service-records.ts';
import type { WellKnown } from './well-known.ts';

/** Where to reach a server, and as whom. */
export interface ServerAddress {
  /** A DNS name or an address, to connect to. */
  host: string;
  port: number;
  hostHeader: string;
  /** What the certificate must be valid for, and SNI; empty: the address in `host`, without SNI. */
  tlsName: string;
}

/** Finds servers by their names (server-server spec, "Resolving server names"). */
export interface ServerDiscovery {
  /** In the order of trying; empty: the server's domain says that it has none. */
  find(name: ServerName): Promise<ServerAddress[]>;
}

const portDefault = 8448;
/** The second is deprecated. */
const services = ['_matrix-fed._tcp', '_matrix._tcp'];

/** Steps 1, 2, 3.1 and 3.2: an address, or a name with a port; null: it is neither. */
function givenAddress({ hostname, port, isAddress }: ServerName): ServerAddress | null {
  if (!isAddress && port === null) return null;
  const host = bracketed(hostname);
  return {
    host: hostname,
    port: port ?? portDefault,
    hostHeader: port === null ? host : `${host}:${port}`,
    tlsName: isAddress ? '' : hostname,
  };
}

export function createServerDiscovery(
  wellKnown: WellKnown,
  records: ServiceRecords,
): ServerDiscovery {
  /** Steps 3.3 to 3.5, and 4 to 6: by the records of a name. */
  async function byRecords(hostname: string): Promise<ServerAddress[]> {
    const identity = { hostHeader: hostname, tlsName: hostname };
    for (const service of services) {
      // The second is asked for only where there is no first.
      // oxlint-disable-next-line no-await-in-loop
      const found = await records.find(`${service}.${hostname}`);
      if (found) return found.map((one) => ({ ...one, ...identity }));
    }
    return [{ host: hostname, port: portDefault, ...identity }];
  }

  return {
    async find(name) {
      const given = givenAddress(name);
      if (given) return [given];
      const delegated = await wellKnown.delegated(name.hostname);
      const to = delegated === null ? name : parseServerName(delegated)!;
      const there = givenAddress(to);
      return there ? [there] : byRecords(to.hostname);
    },
  };
}
