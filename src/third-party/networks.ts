import type { AppserviceClient } from '../appservices/client.ts';
import type {
  AppserviceRegistration,
  AppserviceRegistrations,
} from '../appservices/registrations.ts';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';

/** What bridges tell of other networks. Source: application service API 1.19, "Third-party networks". */
export interface Networks {
  /** By name; what no bridge tells of is absent. */
  protocols(names?: readonly string[]): Promise<Record<string, Protocol>>;
  /** `protocol` null: look up by alias or user id. Fields are sent on as they are. */
  look(
    kind: 'location' | 'user',
    protocol: string | null,
    fields: Readonly<Record<string, string>>,
  ): Promise<Record<string, unknown>[]>;
}

export interface Protocol extends Record<string, unknown> {
  instances: Record<string, unknown>[];
}

export interface NetworksNeeds {
  registrations: Pick<AppserviceRegistrations, 'all'>;
  client: AppserviceClient;
  clock: Clock;
  log: Log;
}

/** Descriptions of protocols hardly ever change. */
const descriptionKeptMs = 60 * 60 * 1000;
const descriptionsMax = 1_000;
/** A bridge may find many; clients show few. */
const foundMax = 100;

const answerMsMax = 10_000;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function createNetworks({ registrations, client, clock, log }: NetworksNeeds): Networks {
  const descriptions = boundedCache<string, { ts: number; protocol: Protocol | null }>(
    descriptionsMax,
  );

  /** Null when the bridge cannot be reached or does not know. */
  async function ask(
    service: AppserviceRegistration,
    path: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<unknown> {
    if (service.url === null) return null;
    try {
      const { status, json } = await client.ask(service, {
        method: 'GET',
        path: `/thirdparty/${path}`,
        legacyPath: `/_matrix/app/unstable/thirdparty/${path}`,
        query: fields,
        timeoutMs: answerMsMax,
      });
      return status === 200 ? json : null;
    } catch (error) {
      log.warn({ err: error, appservice: service.id }, 'a bridge cannot be asked of its network');
      return null;
    }
  }

  async function describe(service: AppserviceRegistration, name: string): Promise<Protocol | null> {
    const key = `${service.id} ${name}`;
    const known = descriptions.get(key);
    if (known && clock.now() - known.ts < descriptionKeptMs) return known.protocol;
    const answer = await ask(service, `protocol/${encodeURIComponent(name)}`, {});
    // A bridge that does not answer now may do so soon.
    if (!isObject(answer)) return null;
    const given = Array.isArray(answer['instances']) ? answer['instances'].filter(isObject) : [];
    const instances = given.map((instance) => ({
      ...instance,
      instance_id: `${service.id}|${String(instance['network_id'])}`,
    }));
    const protocol = { ...answer, instances };
    descriptions.set(key, { ts: clock.now(), protocol });
    return protocol;
  }

  return {
    async protocols(names) {
      const wanted = registrations.all.flatMap((service) =>
        service.protocols
          .filter((name) => names === undefined || names.includes(name))
          .map((name) => ({ service, name })),
      );
      const found = await Promise.all(wanted.map(({ service, name }) => describe(service, name)));
      const byName: Record<string, Protocol> = {};
      for (const [i, protocol] of found.entries()) {
        const { name } = wanted[i]!;
        if (!protocol) continue;
        const before = byName[name];
        byName[name] = before
          ? { ...before, instances: [...before.instances, ...protocol.instances] }
          : protocol;
      }
      return byName;
    },
    async look(kind, protocol, fields) {
      const asked = registrations.all.filter(
        ({ protocols }) =>
          protocols.length > 0 && (protocol === null || protocols.includes(protocol)),
      );
      const path = protocol === null ? kind : `${kind}/${encodeURIComponent(protocol)}`;
      const answers = await Promise.all(asked.map((service) => ask(service, path, fields)));
      const idOf = kind === 'user' ? 'userid' : 'alias';
      return answers
        .flatMap((answer) => (Array.isArray(answer) ? answer.filter(isObject) : []))
        .filter((one) => typeof one[idOf] === 'string' && typeof one['protocol'] === 'string')
        .map((one) => ({ ...one, fields: isObject(one['fields']) ? one['fields'] : {} }))
        .slice(0, foundMax);
    },
  };
}
