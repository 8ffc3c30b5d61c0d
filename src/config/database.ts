import { readFileSync } from 'node:fs';
import { kind, oneOf, positive, secret, secretTextOrNumber, text } from './kinds.ts';
import { group, inert, mappingOf, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

const portMax = 65_535;
/** libpq takes text as well. */
const databasePort = kind(`a port from 1 to ${portMax}`, (value) => {
  const number = typeof value === 'string' ? Number(value) : value;
  return Number.isInteger(number) && (number as number) > 0 && (number as number) <= portMax
    ? (number as number)
    : undefined;
});

const args = {
  host: optional(text, 'A name, an address, or the folder of a unix socket.'),
  port: optional(databasePort, 'The port.'),
  user: optional(text, 'Who connects.'),
  password: optional(secretTextOrNumber, 'The user’s password.'),
  dbname: optional(text, 'The database.'),
  database: optional(text, 'The same as `dbname`.'),
  application_name: optional(text, 'A name of the connections in `pg_stat_activity`.'),
  options: optional(text, 'Settings of each connection, as libpq has them.'),
  connect_timeout: optional(positive, 'Seconds to wait for a connection.'),
  sslmode: option(
    oneOf('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
    'prefer',
    'As libpq has it; `prefer` and `allow` do without TLS.',
  ),
  sslrootcert: optional(text, 'PEM file of the authority to trust.'),
  sslcert: optional(text, 'PEM file of a client certificate.'),
  sslkey: optional(text, 'PEM file of its key.'),
  ...inert({
    cp_min: 'connections are opened as needed',
    cp_max: 'the number of connections is fixed',
    cp_reconnect: 'broken connections are always replaced',
    cp_noisy: 'log of connections',
    keepalives: 'checks of idle connections',
    keepalives_idle: 'checks of idle connections',
    keepalives_interval: 'checks of idle connections',
    keepalives_count: 'checks of idle connections',
    sync_commit: 'commits are always on disk',
  }),
};

const url = secret(
  kind('a URL that begins with postgresql://', (value) =>
    typeof value === 'string' && /^postgres(?:ql)?:\/\//.test(value) ? value : undefined,
  ),
);

const members = {
  url: optional(url, 'Everything in one URL, instead of `args`.'),
  name: option(
    oneOf('psycopg2', 'postgresql', 'sqlite3'),
    'psycopg2',
    '`psycopg2` and `postgresql` mean PostgreSQL; `sqlite3` is refused.',
  ),
  args: group(args, 'How to reach the database, by the names of libpq.'),
  ...inert({
    txn_limit: 'transactions of a connection before it is replaced',
    statement_timeout: 'how long a statement may run',
    allow_unsafe_locale: 'the collation does not matter here',
    allow_outdated_version: 'PostgreSQL 15 or newer is always needed',
  }),
};

export const databaseSection = section(
  'Database',
  'Without `database` the server runs a PostgreSQL of its own in `data_dir`.',
  {
    database: optional(
      mappingOf(members),
      'A PostgreSQL server (15 or newer) to use instead of an own one.',
      { members, example: '\n  url: postgresql://user:password@localhost/lattice' },
    ),
    ...inert({
      databases: 'several databases',
      caches: 'sizes of caches',
      event_cache_size: 'events held in memory',
      background_updates: 'pace of background work on the schema',
    }),
  },
);

type Args = ValuesOf<typeof args>;

function readPem(loader: OptionLoader, given: Args, name: 'sslrootcert' | 'sslcert' | 'sslkey') {
  const path = given[name];
  if (path === null) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return loader
      .at('database', 'args', name)
      .problem(`cannot be read: ${(error as Error).message}`);
  }
}

function tlsOf(loader: OptionLoader, given: Args) {
  const { sslmode } = given;
  if (sslmode === 'disable' || sslmode === 'allow' || sslmode === 'prefer') return false;
  return {
    // As libpq has it: with an authority at hand, `require` checks it too.
    rejectUnauthorized: sslmode !== 'require' || given.sslrootcert !== null,
    // Only verify-full looks at the name in the certificate.
    ...(sslmode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    ca: readPem(loader, given, 'sslrootcert'),
    cert: readPem(loader, given, 'sslcert'),
    key: readPem(loader, given, 'sslkey'),
  };
}

/** Options of the client's connection; null: the server runs a PostgreSQL of its own. */
export function readDatabase(
  loader: OptionLoader,
  values: ValuesOf<typeof databaseSection.options>,
): Record<string, unknown> | null {
  const given = values.database;
  if (given === null) return null;
  if (given.url !== null) return { connectionString: given.url };
  if (given.name === 'sqlite3') {
    loader
      .at('database', 'name')
      .problem('must be psycopg2 (PostgreSQL), not sqlite3; without `database` an own one is run');
    return null;
  }
  const { args } = given;
  const name = args.dbname ?? args.database;
  if (name === null && !loader.at('database').hasProblem) {
    loader.at('database', 'args').problem('dbname is needed');
  }
  const timeoutSeconds = args.connect_timeout;
  const connection = {
    database: name,
    host: args.host,
    port: args.port,
    user: args.user,
    password: args.password,
    application_name: args.application_name,
    options: args.options,
    connectionTimeoutMillis: timeoutSeconds === null ? null : timeoutSeconds * 1000,
    ssl: tlsOf(loader, args),
  };
  return Object.fromEntries(Object.entries(connection).filter(([, value]) => value !== null));
}
