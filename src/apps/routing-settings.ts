import { loadAppserviceRegistrations } from '../appservices/registration-files.ts';
import type { Config } from '../config/config.ts';
import type { Pool, RoutingSettings } from '../routing/apps.ts';

/** What the configuration says about routes. Reads the registrations of application services. */
export async function routingSettingsOf(config: Config): Promise<RoutingSettings> {
  const { routing, presence } = config;
  const tokens = new Set<string>();
  if (routing.bridgeAppservices.length > 0) {
    const registered = await loadAppserviceRegistrations(config.appserviceFiles, config.serverName);
    for (const id of routing.bridgeAppservices) {
      const found = registered.byId(id);
      if (!found) throw new Error(`routing.bridge_appservices: no application service ${id}`);
      tokens.add(found.asToken);
    }
  }
  return {
    isPresenceEnabled: presence.isEnabled,
    bridges: { tokens, userAgents: routing.bridgeUserAgents },
  };
}

/** What a worker is kept for. */
export function poolsOf({ routing }: Config, worker: string): readonly Pool[] {
  const own = [...routing.pools].flatMap(([pool, names]) => (names.includes(worker) ? [pool] : []));
  return own.length > 0 ? own : ['default'];
}
