import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import {
  appserviceRegistrations,
  type AppserviceNamespace,
  type AppserviceRegistration,
  type AppserviceRegistrations,
} from './registrations.ts';

/** Reads the files named by `app_service_config_files`; errors name the file and the key. */
export async function readRegistrations(
  files: readonly string[],
  serverName: string,
): Promise<AppserviceRegistration[]> {
  return Promise.all(
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
}

/** The registrations of those files. Throws also when two have the same id or token. */
export async function loadAppserviceRegistrations(
  files: readonly string[],
  serverName: string,
): Promise<AppserviceRegistrations> {
  return appserviceRegistrations(await readRegistrations(files, serverName));
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
  const wantsUnstableEphemeral = flag('de.sorunome.msc2409.push_ephemeral', false);
  return {
    id,
    url: !content['url'] ? null : content['url'].replace(/\/+$/, ''),
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
    receivesEphemeral: flag('receive_ephemeral', false) || wantsUnstableEphemeral,
    usesUnstableEphemeral: wantsUnstableEphemeral,
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
    const { exclusive, regex } = entry as { exclusive: boolean; regex: string };
    return { exclusive, regex: anchored(regex), prefix: literalPrefix(regex) };
  });
}

/** Patterns hold from the beginning of the id, as other servers read them. */
function anchored(pattern: string): RegExp {
  const ignoresCase = pattern.startsWith('(?i)');
  return new RegExp(`^(?:${ignoresCase ? pattern.slice(4) : pattern})`, ignoresCase ? 'i' : '');
}

/** What every text that a pattern matches begins with; empty when that is not to be seen at once. */
export function literalPrefix(pattern: string): string {
  if (pattern.includes('|') || pattern.startsWith('(?i)')) return '';
  let prefix = '';
  let last = '';
  for (const [, escaped, plain] of pattern.replace(/^\^/, '').matchAll(/\\(\W)|(.)/gsy)) {
    if (plain !== undefined && /[.[\](){}+*?^$\\]/.test(plain)) {
      // What a quantifier follows may be absent.
      return /[{*?]/.test(plain) ? prefix.slice(0, prefix.length - last.length) : prefix;
    }
    last = escaped ?? plain!;
    prefix += last;
  }
  return prefix;
}
