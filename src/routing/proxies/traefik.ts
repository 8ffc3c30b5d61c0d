import { tcpAddress } from '../../kernel/tcp-address.ts';
import { stringify } from 'yaml';
import { escaped, planProxy, type ProxySubject, type Rule, type Target } from './plan.ts';

/** Traefik takes the router with the highest priority. */
const priorityMax = 10_000;

function serviceOf({ name, servers }: Target) {
  const urls = servers.flatMap(({ address, weight = 1 }) =>
    'socketPath' in address
      ? []
      : [
          {
            url: `http://${tcpAddress(address.host, address.port)}`,
            weight: Math.round(weight * 10),
          },
        ],
  );
  if (urls.length < servers.length) {
    throw new Error(`Traefik cannot reach the unix sockets of ${name}; use ports`);
  }
  return {
    loadBalancer: { servers: urls, healthCheck: { path: '/health', interval: '5s' } },
  };
}

interface Router {
  rule: string;
  service: string;
  middlewares: string[];
  priority: number;
}

const middlewares = {
  // Another worker is asked when one takes no connection.
  'lattice-retry': { retry: { attempts: 3, initialInterval: '50ms' } },
  // Traefik cannot refuse everybody.
  'lattice-local': { ipAllowList: { sourceRange: ['127.0.0.1/32'] } },
};

const ticked = (text: string) => `\`${text}\``;

function bridgeRule({ settings }: ProxySubject): string {
  const { tokens, userAgents } = settings.bridges;
  const parts = [
    ...[...tokens].map((token) => `Header(\`Authorization\`, ${ticked(`Bearer ${token}`)})`),
    ...userAgents.map((part) => `HeaderRegexp(\`User-Agent\`, ${ticked(escaped(part))})`),
  ];
  return `(${parts.join(' || ')})`;
}

/** A dynamic configuration for Traefik 3. It can not spread by user or room; nothing needs it. */
export function traefikConfig(subject: ProxySubject): string {
  const { rules, targets, fallback, hidden } = planProxy(subject);
  const routers: Record<string, Router> = {};
  let priority = priorityMax;
  const add = (rule: string, { name }: Target) => {
    const service = `lattice_${name}`;
    const middlewares = ['lattice-retry'];
    routers[`lattice-${priorityMax - priority}`] = { rule, service, middlewares, priority };
    priority--;
  };
  const isHidden = hidden.map((path) => `PathRegexp(${ticked(`^${path}`)})`).join(' || ');
  routers['lattice-hidden'] = {
    rule: isHidden,
    service: `lattice_${fallback.name}`,
    middlewares: ['lattice-local'],
    priority: priorityMax + 1,
  };
  const ruleOf = ({ method, pattern }: Rule) =>
    `PathRegexp(${ticked(`^${pattern}`)})${method === null ? '' : ` && Method(\`${method}\`)`}`;
  for (const rule of rules) {
    const { target, first, bridges } = rule.class;
    if (bridges) add(`${ruleOf(rule)} && ${bridgeRule(subject)}`, bridges);
    if (first && first !== target) {
      const isFirst = '!QueryRegexp(`since`, `.+`) && !QueryRegexp(`pos`, `.+`)';
      add(`${ruleOf(rule)} && ${isFirst}`, first);
    }
    add(ruleOf(rule), target);
  }
  add('PathPrefix(`/`)', fallback);
  const services = Object.fromEntries(
    [...new Set([...targets, fallback])].map((one) => [`lattice_${one.name}`, serviceOf(one)]),
  );
  return [
    '# Lattice behind Traefik: printed by `lattice routes --format traefik`; a dynamic configuration.',
    '# Any worker can serve any request, so what goes elsewhere is slower, not wrong. Traefik cannot',
    '# keep a user or a room at one worker; the other proxies and the built-in router can.',
    stringify({ http: { routers, middlewares, services } }, { lineWidth: 0 }),
  ].join('\n');
}
