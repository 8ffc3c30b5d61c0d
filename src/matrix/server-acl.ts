import type { JsonObject } from './pdu.ts';
import { compileGlob, type Glob } from './push-rules/glob.ts';

/** Which servers may take part in a room. Source: client-server spec, "Server Access Control Lists". */
export interface ServerAcl {
  /** With or without a port, which does not count. */
  allows(serverName: string): boolean;
}

/** A server name without its port. */
function hostOf(serverName: string): string {
  const end = serverName.startsWith('[') ? serverName.indexOf(']') + 1 : serverName.indexOf(':');
  return end > 0 ? serverName.slice(0, end) : serverName;
}

/** As the grammar of server names has it: no host that is a name looks like that. */
const ipv4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const isIpLiteral = (host: string) => host.startsWith('[') || ipv4.test(host);

/** Hosts by patterns; most lists have many that are no patterns at all. */
interface Hosts {
  names: ReadonlySet<string>;
  globs: readonly Glob[];
}

const isGlob = (entry: string) => entry.includes('*') || entry.includes('?');

function hostsOf(list: unknown): Hosts {
  const given = Array.isArray(list) ? list : [];
  const entries = given.filter((entry) => typeof entry === 'string').map((e) => e.toLowerCase());
  return {
    names: new Set(entries.filter((entry) => !isGlob(entry))),
    globs: [...new Set(entries.filter(isGlob))].map((entry) => compileGlob(entry)),
  };
}

const includes = ({ names, globs }: Hosts, host: string) =>
  names.has(host) || globs.some((glob) => glob.matches(host));

/**
 * What the content of an `m.room.server_acl` event says. Parts of the wrong type count as absent, and
 * without `allow` nobody is let in.
 */
export function parseServerAcl(content: JsonObject): ServerAcl {
  const allow = hostsOf(content['allow']);
  const deny = hostsOf(content['deny']);
  const refusesIpLiterals = content['allow_ip_literals'] === false;
  return {
    allows(serverName) {
      const host = hostOf(serverName).toLowerCase();
      if (refusesIpLiterals && isIpLiteral(host)) return false;
      return !includes(deny, host) && includes(allow, host);
    },
  };
}
