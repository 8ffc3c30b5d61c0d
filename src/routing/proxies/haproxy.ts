import { addressText, escaped, planProxy, type ProxySubject, type Target } from './plan.ts';

const indented = (lines: readonly string[]) => lines.map((line) => `    ${line}`);
/** Strong quotes: nothing inside has a meaning for HAProxy. */
const quoted = (text: string) => `'${text.replaceAll("'", `'"'"'`)}'`;

function backend({ name, balance, servers }: Target): string[] {
  const how =
    balance === 'none'
      ? ['balance leastconn']
      : [`balance hash var(txn.lattice_${balance})`, 'hash-type consistent'];
  const lines = servers.map((server) => {
    const weight = Math.round((server.weight ?? 1) * 10);
    const address = addressText(server).replace(/^unix:/, 'unix@');
    const off = server.state === 'draining' ? ' disabled' : '';
    return `server ${server.id.replace(/[^\w.-]/g, '_')} ${address} weight ${weight} check slowstart 20s${off}`;
  });
  return [
    `backend lattice_${name}`,
    ...indented([...how, 'option httpchk GET /health', 'http-reuse safe', ...lines]),
    '',
  ];
}

/** Variables with what requests are spread by. */
const keys = [
  '# Who asks: the localpart in the access token, else the user an application service acts for,',
  '# else the token.',
  'http-request set-var(txn.token) url_param(access_token)',
  'http-request set-var(txn.token) http_auth_bearer if { http_auth_bearer -m found }',
  'http-request set-var(txn.lattice_user) rand(1000000)',
  'http-request set-var(txn.lattice_user) var(txn.token) if { var(txn.token) -m found }',
  'http-request set-var(txn.lattice_user) url_param(user_id),url_dec if { url_param(user_id) -m found }',
  'http-request set-var(txn.lattice_user) var(txn.token),field(2,_) if { var(txn.token) -m beg syt_ }',
  '# The room of a request, decoded.',
  'acl names_room path_reg ^/_matrix/client/.*/(rooms|join|knock)/[^/]+',
  'http-request set-var(txn.lattice_room) rand(1000000)',
  `http-request set-var(txn.lattice_room) "path,regsub('^.*?/(?:rooms|join|knock)/([^/]+).*\\$','\\\\1'),url_dec" if names_room`,
  '# The server that signs a request.',
  "acl names_origin req.fhdr(authorization) -m reg '^X-Matrix.*[ ,]origin'",
  'http-request set-var(txn.lattice_origin) src',
  `http-request set-var(txn.lattice_origin) "req.fhdr(authorization),regsub('^.*[^a-z]origin[^a-zA-Z0-9]*([A-Za-z0-9.:-]+).*\\$','\\\\1'),lower" if names_origin`,
  'acl has_position url_param(since) -m found',
  'acl has_position url_param(pos) -m found',
];

function bridges({ settings }: ProxySubject): string[] {
  const { tokens, userAgents } = settings.bridges;
  return [
    '# Heavy bridges.',
    ...[...tokens].map((token) => `acl is_bridge var(txn.token) -m str ${quoted(token)}`),
    ...userAgents.map(
      (part) => `acl is_bridge req.fhdr(user-agent) -m reg ${quoted(escaped(part))}`,
    ),
  ];
}

/** A configuration for HAProxy 2.6 or newer. */
export function haproxyConfig(subject: ProxySubject): string {
  const { rules, classes, targets, fallback, hidden } = planProxy(subject);
  const hasBridges = classes.some((one) => one.bridges !== null);
  const isNew = '!{ var(txn.lattice_class) -m found }';
  const setTarget = ({ name }: Target, condition: string) =>
    `http-request set-var(txn.lattice_target) str(${name}) if ${condition}`;
  return [
    '# Lattice behind HAProxy: printed by `lattice routes --format haproxy`.',
    '# Any worker can serve any request, so what goes elsewhere is slower, not wrong.',
    'defaults',
    ...indented([
      'mode http',
      'timeout connect 3s',
      'timeout client 60s',
      'timeout server 180s',
      'timeout http-request 30s',
      'timeout http-keep-alive 75s',
      'option redispatch 1',
      'retry-on conn-failure',
    ]),
    '',
    'frontend lattice',
    ...indented([
      `bind :${subject.port}`,
      `bind :::${subject.port} v6only`,
      '# For https: bind :443 ssl crt /path/to/pem alpn h2,http/1.1',
      '# What a client says about itself is not believed.',
      'http-request set-header X-Forwarded-For %[src]',
      'http-request set-header X-Forwarded-Proto http',
      'http-request set-header X-Forwarded-Proto https if { ssl_fc }',
      ...hidden.map(
        (path) => `http-request return status 404 if { path,url_dec -m reg ${quoted(`^${path}`)} }`,
      ),
      ...keys,
      ...(hasBridges ? bridges(subject) : []),
      '# The kind of a request. The first pattern that fits counts.',
      ...rules.map(({ method, pattern, class: { name } }) => {
        const methods = method === null ? '' : ` { method ${method} }`;
        const path = `{ path_reg ${quoted(`^${pattern}`)} }`;
        return `http-request set-var(txn.lattice_class) str(${name}) if ${isNew}${methods} ${path}`;
      }),
      '# The workers for it.',
      ...classes.flatMap(({ name, target, first, bridges: pool }) => {
        const isClass = `{ var(txn.lattice_class) -m str ${name} }`;
        return [
          setTarget(target, isClass),
          ...(first && first !== target ? [setTarget(first, `${isClass} !has_position`)] : []),
          ...(pool ? [setTarget(pool, `${isClass} is_bridge`)] : []),
        ];
      }),
      'use_backend lattice_%[var(txn.lattice_target)] if { var(txn.lattice_target) -m found }',
      `default_backend lattice_${fallback.name}`,
    ]),
    '',
    ...targets.flatMap(backend),
    ...(targets.includes(fallback) ? [] : backend(fallback)),
  ].join('\n');
}
