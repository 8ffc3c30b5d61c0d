import {
  addressText,
  escaped,
  planProxy,
  type ProxyPlan,
  type ProxySubject,
  type Target,
  withQuery,
} from './plan.ts';

/** What the balance keys are called in nginx. */
const keyVariables = {
  user: '$lattice_user',
  room: '$lattice_room',
  origin: '$lattice_origin',
} as const;

/** A regular expression of a map; backslashes before dots and the like have to stay. */
const pattern = (text: string) => `"~${text.replace(/"/g, '\\"')}"`;

const indented = (lines: readonly string[]) => lines.map((line) => `    ${line}`);

function upstreamBlock({ name, balance, servers }: Target): string[] {
  const how = balance === 'none' ? 'least_conn;' : `hash ${keyVariables[balance]} consistent;`;
  const lines = servers.map((server) => {
    const weight = server.weight && server.weight !== 1 ? ` weight=${server.weight}` : '';
    const down = server.state === 'draining' ? ' down' : '';
    return `server ${addressText(server)}${weight}${down} max_fails=3 fail_timeout=2s;`;
  });
  return [`upstream lattice_${name} {`, ...indented([how, ...lines, 'keepalive 64;']), '}', ''];
}

function keyMaps(): string[] {
  return [
    '# Who asks: the localpart in the access token, else the user an application service acts for,',
    '# else the token.',
    'map $http_authorization $lattice_header_user {',
    '    default "";',
    '    "~^Bearer syt_(?<header_name>[^_]+)_" $header_name;',
    '}',
    'map $arg_access_token $lattice_query_user {',
    '    default "";',
    '    "~^syt_(?<query_name>[^_]+)_" $query_name;',
    '}',
    'map "$lattice_header_user$lattice_query_user|$arg_user_id|$http_authorization$arg_access_token" $lattice_user {',
    '    default $request_id;',
    '    "~^(?<by_token>[^|]+)\\|" $by_token;',
    '    "~^\\|(?<by_name>[^|]+)\\|" $by_name;',
    '    "~^\\|\\|(?<by_secret>.+)$" $by_secret;',
    '}',
    '',
    '# The room of a request; $uri is decoded, so that a room has one key however it is written.',
    'map $uri $lattice_room {',
    '    default $request_id;',
    '    "~^/_matrix/client/[^?]*?/(?:rooms|join|knock)/(?<room>[^/]+)" $room;',
    '}',
    '',
    '# The server that signs a request.',
    'map $http_authorization $lattice_origin {',
    '    default $remote_addr;',
    '    "~*^X-Matrix.*?[ ,]origin *= *\\"?(?<origin>[^\\", ]+)" $origin;',
    '}',
    '',
    '# The first request of a sync has no position.',
    'map "$arg_since$arg_pos" $lattice_first {',
    '    default "";',
    '    "" first;',
    '}',
    '',
  ];
}

function bridgeMaps({ settings }: ProxySubject): string[] {
  const { tokens, userAgents } = settings.bridges;
  const byAgent = userAgents.map((part) => `${pattern(escaped(part))} bridge;`);
  // Patterns instead of plain text: long keys would need a bigger hash table.
  const byToken = [...tokens].map((token) => `${pattern(`^(Bearer )?${escaped(token)}$`)} bridge;`);
  return [
    '# Requests of heavy bridges.',
    'map $http_user_agent $lattice_agent {',
    ...indented(['default "";', ...byAgent]),
    '}',
    'map "$http_authorization$arg_access_token" $lattice_bridge {',
    ...indented(['default $lattice_agent;', ...byToken]),
    '}',
    '',
  ];
}

/** The kind of a request, by method and raw path. */
const classMap = ({ rules }: ProxyPlan): string[] => [
  '# The kind of a request, by method and raw path. The first pattern that fits counts.',
  'map "$request_method $request_uri" $lattice_class {',
  ...indented([
    'default other;',
    ...rules.map((rule) => {
      const method = rule.method ?? '[A-Z]+';
      return `${pattern(`^${method} ${withQuery(rule)}`)} ${rule.class.name};`;
    }),
  ]),
  '}',
  '',
];

const upstreamMap = ({ classes, fallback }: ProxyPlan, hasBridges: boolean): string[] => [
  '# The workers for it.',
  `map "$lattice_class ${hasBridges ? '$lattice_bridge ' : ''}$lattice_first" $lattice_upstream {`,
  ...indented([
    `default lattice_${fallback.name};`,
    ...classes.flatMap(({ name, target, first, bridges }) => [
      ...(bridges ? [`${pattern(`^${name} bridge `)} lattice_${bridges.name};`] : []),
      ...(first ? [`${pattern(`^${name} .*first$`)} lattice_${first.name};`] : []),
      `${pattern(`^${name} `)} lattice_${target.name};`,
    ]),
  ]),
  '}',
  '',
];

const serverBlock = (
  { port, serverName, bodyBytesMax }: ProxySubject,
  { hidden }: ProxyPlan,
): string[] => [
  'server {',
  ...indented([
    `listen ${port};`,
    `listen [::]:${port};`,
    `server_name ${serverName};`,
    '# As long as the workers allow, for filters in the query.',
    'large_client_header_buffers 4 16k;',
    '# For https and federation: listen 443 ssl; listen 8448 ssl; ssl_certificate …; ssl_certificate_key …;',
    '',
    `location ~ ^(?:${hidden.join('|')}) {`,
    '    return 404;',
    '}',
    '',
    '# Without /_synapse/admin and /_lattice the admin API is not for everybody to reach.',
    'location ~ ^(/_matrix|/_synapse|/_lattice|/\\.well-known/matrix) {',
    ...indented([
      'proxy_pass http://$lattice_upstream;',
      'proxy_http_version 1.1;',
      'proxy_set_header Connection "";',
      'proxy_set_header Host $host:$server_port;',
      'proxy_set_header X-Forwarded-For $remote_addr;',
      'proxy_set_header X-Forwarded-Proto $scheme;',
      `client_max_body_size ${bodyBytesMax};`,
      '# Answers and uploads are streamed; long polls last.',
      'proxy_buffering off;',
      'proxy_request_buffering off;',
      'proxy_read_timeout 180s;',
      'proxy_next_upstream error timeout;',
    ]),
    '}',
  ]),
  '}',
  '',
];

/** A configuration for nginx 1.18 or newer; goes into its `http` block. */
export function nginxConfig(subject: ProxySubject): string {
  const plan = planProxy(subject);
  const { classes, targets, fallback } = plan;
  const hasBridges = classes.some(({ bridges }) => bridges !== null);
  return [
    '# Lattice behind nginx: printed by `lattice routes --format nginx`, to be included in `http`.',
    '# Any worker can serve any request, so what goes elsewhere is slower, not wrong.',
    '',
    ...new Set([...targets, fallback]).values().flatMap(upstreamBlock),
    ...keyMaps(),
    ...(hasBridges ? bridgeMaps(subject) : []),
    ...classMap(plan),
    ...upstreamMap(plan, hasBridges),
    ...serverBlock(subject, plan),
  ].join('\n');
}
