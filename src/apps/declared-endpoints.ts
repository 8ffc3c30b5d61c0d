import type { Config } from '../config/config.ts';
import { createLocalRoles } from '../cluster/role.ts';
import { openDatabase } from '../database/open-database.ts';
import { endpointTable, type EndpointRow } from '../http/endpoint-table.ts';
import { createRateLimiter } from '../http/rate-limiter.ts';
import { systemClock } from '../kernel/clock.ts';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { generateSigningKeyLine, parseSigningKey } from '../matrix/signing.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { loadAppserviceRegistrations } from '../appservices/registrations.ts';
import { assembleDomains } from './domains.ts';

/**
 * Every path that the domains declare endpoints for. The domains are put together for it without
 * anything behind them: nothing is connected to, and nothing runs.
 */
export async function declaredEndpoints(config: Config): Promise<EndpointRow[]> {
  const database = openDatabase({ connection: { host: '/nowhere' } });
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: () => undefined,
  });
  const clock = systemClock;
  const domains = assembleDomains({
    config,
    log: createLog('error'),
    database,
    clock,
    bus,
    roles: createLocalRoles(),
    committer: createCommitter(database, bus),
    metrics: new Metrics(),
    limiter: createRateLimiter(config.rateLimits, clock),
    signingKey: parseSigningKey(generateSigningKeyLine('none')),
    appservices: await loadAppserviceRegistrations([], config.serverName),
  });
  const table = endpointTable(domains.endpoints);
  await domains.close().catch(() => undefined);
  await database.close();
  return table;
}
