import { isIPv4, isIPv6 } from 'node:net';
import { isServerName } from '../matrix/ids.ts';

/** The parts of a server name (appendices, "Server Name"). */
export interface ServerName {
  /** A DNS name, or an address; IPv6 without brackets. */
  hostname: string;
  /** Null: none is given. */
  port: number | null;
  isAddress: boolean;
}

const portMax = 65_535;
const parts = /^(?:\[(?<ipv6>[^\]]+)\]|(?<host>[^:]+))(?::(?<port>\d+))?$/;

/** Null when the text is no server name. */
export function parseServerName(text: string): ServerName | null {
  const groups = isServerName(text) ? parts.exec(text)?.groups : undefined;
  if (!groups) return null;
  const port = groups['port'] === undefined ? null : Number(groups['port']);
  if (port !== null && (port === 0 || port > portMax)) return null;
  const { ipv6, host = '' } = groups;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { hostname: ipv6, port, isAddress: true } : null;
  // Four numbers are meant as an address, also where they are none.
  if (/^\d+(?:\.\d+){3}$/.test(host) && !isIPv4(host)) return null;
  return { hostname: host, port, isAddress: isIPv4(host) };
}

/** A host as URLs and `Host` headers have it: IPv6 in brackets. */
export const bracketed = (host: string) => (isIPv6(host) ? `[${host}]` : host);
