import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RendezvousConfig } from './config.ts';
import { msc4108Endpoints } from './endpoints/msc4108.ts';
import { msc4388Endpoints } from './endpoints/msc4388.ts';
import { createRendezvousSessions } from './sessions.ts';
import { createSessionStore } from './store/sessions.ts';

export interface RendezvousNeeds {
  database: Database;
  clock: Clock;
  config: RendezvousConfig;
}

export interface Rendezvous {
  endpoints: Endpoint[];
  /** Proposals that clients may use here, for `/versions`. */
  features: Record<string, boolean>;
  /** Forgets what is over. */
  tidy(): Promise<void>;
}

/** Channels over which a device signs in another, after a QR code was shown. */
export function createRendezvous({ database, clock, config }: RendezvousNeeds): Rendezvous {
  const store = createSessionStore(database);
  const { msc4108, msc4388 } = config;
  const endpoints: Endpoint[] = [];
  if (msc4108) {
    const sessions = createRendezvousSessions(store, clock, 4108);
    endpoints.push(...bindEndpoints(msc4108Endpoints, { sessions, ...msc4108 }));
  }
  if (msc4388) {
    const sessions = createRendezvousSessions(store, clock, 4388);
    endpoints.push(...bindEndpoints(msc4388Endpoints, { sessions, ...msc4388 }));
  }
  return {
    endpoints,
    features: {
      'org.matrix.msc4108': msc4108 !== null,
      'io.element.msc4388': msc4388 !== null,
    },
    async tidy() {
      await store.deleteExpired(clock.now());
    },
  };
}
