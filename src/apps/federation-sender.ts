import type { FederationClient } from '../federation-client/federation-client.ts';
import { createSharedBackOff, type SharedBackOff } from '../federation-client/shared-back-off.ts';
import { createRetryStore } from '../federation-client/store/retries.ts';
import { createFederationSender, type FederationSender } from '../federation-sender/module.ts';
import type { PresenceModule } from '../presence/module.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { AuthenticateServer } from '../http/dispatcher.ts';
import type { Foundation } from './domains.ts';
import type { Encryption } from './encryption.ts';

/** Which servers do not answer, as all processes know it. */
export const assembleBackOff = ({ config, database, bus, clock, log }: Foundation) =>
  createSharedBackOff({
    options: config.federation.backOff,
    store: createRetryStore(database),
    bus,
    clock,
    log,
  });

/** Whether a server may be contacted at all. */
export function mayContact({ config }: Foundation): (serverName: string) => boolean {
  const { allowedServers } = config.federation;
  return (serverName) => allowedServers === null || allowedServers.includes(serverName);
}

/** A server that sends us something is there again. */
export const heardBy =
  (authenticate: AuthenticateServer, backOff: SharedBackOff): AuthenticateServer =>
  async (request) => {
    const origin = await authenticate(request);
    backOff.heardFrom(origin);
    return origin;
  };

export interface FederationSenderParts {
  federation: FederationClient;
  backOff: SharedBackOff;
  rooms: RoomServices;
  encryption: Pick<Encryption, 'keys' | 'toDevice'>;
  presence: PresenceModule;
}

/** Sending to other servers. */
export function assembleFederationSender(
  foundation: Foundation,
  { encryption, ...parts }: FederationSenderParts,
): FederationSender {
  const { config } = foundation;
  const { sender, allowedServers, metricsDomains } = config.federation;
  return createFederationSender({
    ...foundation,
    ...parts,
    keys: encryption.keys,
    toDevice: encryption.toDevice,
    config: { serverName: config.serverName, allowedServers, metricsDomains, ...sender },
  });
}
