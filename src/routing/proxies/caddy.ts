import {
  addressText,
  escaped,
  planProxy,
  type ProxySubject,
  type Target,
  type TrafficClass,
  withQuery,
} from './plan.ts';

const indented = (lines: readonly string[], by = 1) => lines.map((line) => '\t'.repeat(by) + line);
/** Backquotes: regular expressions stay as they are. */
const pattern = (text: string) => `\`~${text}\``;

function proxyTo({ balance, servers }: Target): string[] {
  const addresses = servers.map((one) => addressText(one).replace(/^unix:/, 'unix/'));
  const policy = balance === 'none' ? 'least_conn' : 'header X-Lattice-Key';
  return [
    ...(balance === 'none' ? [] : [`request_header X-Lattice-Key "{lattice_${balance}}"`]),
    `reverse_proxy ${addresses.join(' ')} {`,
    ...indented([
      `lb_policy ${policy}`,
      'lb_try_duration 2s',
      '# A worker that takes no connection gets nothing until this is over.',
      'fail_duration 2s',
      'health_uri /health',
      'health_interval 5s',
      'flush_interval -1',
      '# Nothing is asked for that the client has not asked for.',
      'transport http {',
      '\tcompression off',
      '}',
    ]),
    '}',
  ];
}

/** Placeholders with what requests are spread by. */
const keys = [
  '# Who asks: the localpart in the access token, else the user an application service acts for,',
  '# else the token.',
  'map "{header.Authorization} {query.access_token} {query.user_id}" {lattice_user} {',
  '\t`~^Bearer syt_([^_]+)_` "${1}"',
  '\t`~^ syt_([^_]+)_` "${1}"',
  '\t`~ (@[^ ]+)$` "${1}"',
  '\tdefault "{header.Authorization}{query.access_token}"',
  '}',
  '# The room of a request.',
  'map {path} {lattice_room} {',
  '\t`~^/_matrix/client/.*?/(?:rooms|join|knock)/([^/]+)` "${1}"',
  '\tdefault "{remote_host}"',
  '}',
  '# The server that signs a request.',
  'map {header.Authorization} {lattice_origin} {',
  '\t`~^X-Matrix.*?[ ,]origin *= *"?([^", ]+)` "${1}"',
  '\tdefault "{remote_host}"',
  '}',
];

function bridgeMap({ settings }: ProxySubject): string[] {
  const { tokens, userAgents } = settings.bridges;
  const agents = userAgents.map((part) => pattern(`^[^|]*${escaped(part)}`));
  const secrets = [...tokens].map((token) => pattern(`\\|(Bearer )?${escaped(token)}$`));
  return [
    '# Heavy bridges.',
    'map "{header.User-Agent}|{header.Authorization}{query.access_token}" {lattice_bridge} {',
    ...indented([...agents, ...secrets].map((one) => `${one} bridge`)),
    '\tdefault none',
    '}',
  ];
}

const targetsOf = ({ target, first, bridges }: TrafficClass): Target[] =>
  [target, first, bridges].filter((one) => one !== null);

/** A configuration for Caddy 2.6 or newer. */
export function caddyConfig(subject: ProxySubject): string {
  const { rules, classes, fallback, hidden } = planProxy(subject);
  const hasBridges = classes.some(({ bridges }) => bridges !== null);
  const handlers = [...new Set(classes.flatMap(targetsOf))].flatMap((target) => [
    `@${target.name} vars {lattice_target} ${target.name}`,
    `handle @${target.name} {`,
    ...indented(proxyTo(target)),
    '}',
  ]);
  const site = subject.serverName === '_' ? `:${subject.port}` : subject.serverName;
  return [
    '# Lattice behind Caddy: printed by `lattice routes --format caddy`.',
    '# Any worker can serve any request, so what goes elsewhere is slower, not wrong.',
    `${site} {`,
    ...indented([
      `@hidden path_regexp ^(?:${hidden.join('|')})`,
      'route {',
      ...indented([
        'error @hidden 404',
        ...keys,
        ...(hasBridges ? bridgeMap(subject) : []),
        '# The kind of a request, by method and raw path. The first pattern that fits counts.',
        'map "{method} {uri}" {lattice_class} {',
        ...indented([
          ...rules.map((rule) => {
            const method = rule.method ?? '[A-Z]+';
            return `${pattern(`^${method} ${withQuery(rule)}`)} ${rule.class.name}`;
          }),
          'default other',
        ]),
        '}',
        '# The workers for it.',
        `map "{lattice_class} ${hasBridges ? '{lattice_bridge}' : 'none'} {query.since}{query.pos}" {lattice_target} {`,
        ...indented([
          ...classes.flatMap(({ name, target, first, bridges }) => [
            ...(bridges ? [`${pattern(`^${name} bridge `)} ${bridges.name}`] : []),
            ...(first ? [`${pattern(`^${name} \\S+ $`)} ${first.name}`] : []),
            `${pattern(`^${name} `)} ${target.name}`,
          ]),
          'default other',
        ]),
        '}',
        ...handlers,
        'handle {',
        ...indented(proxyTo(fallback)),
        '}',
      ]),
      '}',
    ]),
    '}',
    '',
  ].join('\n');
}
