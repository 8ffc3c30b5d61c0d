import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';

/** A pattern of ids an application service is interested in; `exclusive`: nobody else may use them. */
export interface AppserviceNamespace {
  exclusive: boolean;
  regex: RegExp;
}

/** One registration file. Source: application service spec, "Registration". */
export interface AppserviceRegistration {
  id: string;
  /** Null: nothing is pushed to it. */
  url: string | null;
  /** What the service presents to us. */
  asToken: string;
  /** What we present to the service. */
  hsToken: string;
  /** The full user id of `sender_localpart`. */
  sender: string;
  namespaces: {
    users: AppserviceNamespace[];
    aliases: AppserviceNamespace[];
    rooms: AppserviceNamespace[];
  };
  /** Whether its users are rate-limited; the sender never is. */
  rateLimited: boolean;
  protocols: string[];
  /** Typing, receipts and presence are pushed as well (MSC2409). */
  receivesEphemeral: boolean;
  /** One-time key counts and device list changes are pushed as well (MSC3202). */
  receivesDeviceUpdates: boolean;
  /** It makes its devices itself instead of logging in (MSC4190). */
  managesDevices: boolean;
}

/** All registrations, with the look-ups that requests need. */
export interface AppserviceRegistrations {
  readonly all: readonly AppserviceRegistration[];
  byToken(asToken: string): AppserviceRegistration | undefined;
  byId(id: string): AppserviceRegistration | undefined;
  /** The service that alone may use the user id, if any. */
  exclusiveFor(userId: string): AppserviceRegistration | undefined;
  /** The service that alone may use the room alias, if any. */
  exclusiveForAlias(alias: string): AppserviceRegistration | undefined;
}

/** The user is the service's sender or in its user namespaces. */
export function isInterestedInUser(service: AppserviceRegistration, userId: string): boolean {
  return service.sender === userId || matches(service.namespaces.users, userId);
}

/** The id is in the namespaces. */
export function matches(namespaces: readonly AppserviceNamespace[], id: string): boolean {
  return namespaces.some(({ regex }) => regex.test(id));
}

export function appserviceRegistrations(
  all: readonly AppserviceRegistration[],
): AppserviceRegistrations {
  const byToken = new Map(all.map((service) => [service.asToken, service]));
  const byId = new Map(all.map((service) => [service.id, service]));
  if (byToken.size < all.length) throw new Error('two application services have the same as_token');
  if (byId.size < all.length) throw new Error('two application services have the same id');
  const exclusive = (id: string, kind: 'users' | 'aliases') =>
    all.find((s) => s.namespaces[kind].some((n) => n.exclusive && n.regex.test(id)));
  return {
    all,
    byToken: (token) => byToken.get(token),
    byId: (id) => byId.get(id),
    exclusiveFor: (userId) =>
      all.find((service) => service.sender === userId) ?? exclusive(userId, 'users'),
    exclusiveForAlias: (alias) => exclusive(alias, 'aliases'),
  };
}

/** Reads the files named by `app_service_config_files`; errors name the file and the key. */
export async function loadAppserviceRegistrations(
  files: readonly string[],
  serverName: string,
): Promise<AppserviceRegistrations> {
  const all = await Promise.all(
    files.map(async (file) => {
      try {
        return parseRegistration(parse(await readFile(file, 'utf8')), serverName);
      } catch (error) {
        throw new Error(`application service file ${file}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }),
  );
  return appserviceRegistrations(all);
}

/** Checks the parsed content of a registration file. Throws with a message that names the key. */
export function parseRegistration(content: unknown, serverName: string): AppserviceRegistration {
  if (!isRecord(content)) throw new Error('is not a mapping');
  const id = text(content, 'id');
  if (id.includes('|')) throw new Error("id must not contain '|'");
  const localpart = text(content, 'sender_localpart');
  if (encodeURIComponent(localpart) !== localpart && !/^[\w.~/=+-]+$/.test(localpart)) {
    throw new Error('sender_localpart has characters that are not allowed in a user id');
  }
  if (content['url'] !== null && typeof content['url'] !== 'string') {
    throw new Error('url must be a string, or null when nothing is to be pushed');
  }
  const spaces = content['namespaces'];
  if (!isRecord(spaces)) throw new Error('namespaces must be a mapping');
  const flag = (key: string, fallback: boolean) =>
    typeof content[key] === 'boolean' ? content[key] : fallback;
  return {
    id,
    url: content['url'] === null ? null : content['url'].replace(/\/$/, ''),
    asToken: text(content, 'as_token'),
    hsToken: text(content, 'hs_token'),
    sender: `@${localpart}:${serverName}`,
    namespaces: {
      users: namespaceList(spaces['users'], 'users'),
      aliases: namespaceList(spaces['aliases'], 'aliases'),
      rooms: namespaceList(spaces['rooms'], 'rooms'),
    },
    rateLimited: flag('rate_limited', true),
    protocols: protocolList(content['protocols']),
    receivesEphemeral:
      flag('receive_ephemeral', false) || flag('de.sorunome.msc2409.push_ephemeral', false),
    receivesDeviceUpdates: flag('org.matrix.msc3202', false),
    managesDevices: flag('io.element.msc4190', false),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(content: Record<string, unknown>, key: string): string {
  const value = content[key];
  if (typeof value !== 'string' || value === '') throw new Error(`${key} must be a string`);
  return value;
}

function protocolList(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw new Error('protocols must be a list of strings');
  }
  return value;
}

function namespaceList(value: unknown, kind: string): AppserviceNamespace[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`namespaces.${kind} must be a list`);
  return value.map((entry: unknown) => {
    if (
      !isRecord(entry) ||
      typeof entry['regex'] !== 'string' ||
      typeof entry['exclusive'] !== 'boolean'
    ) {
      throw new Error(`each of namespaces.${kind} needs a string regex and a boolean exclusive`);
    }
    return { exclusive: entry['exclusive'], regex: anchored(entry['regex']) };
  });
}

/** Patterns hold from the beginning of the id, as other servers read them. */
function anchored(pattern: string): RegExp {
  const ignoresCase = pattern.startsWith('(?i)');
  return new RegExp(`^(?:${ignoresCase ? pattern.slice(4) : pattern})`, ignoresCase ? 'i' : '');
}
