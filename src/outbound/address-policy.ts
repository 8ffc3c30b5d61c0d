import { BlockList, isIP, isIPv4 } from 'node:net';

/** Which addresses may be contacted. */
export interface AddressPolicy {
  /** `address`: an IPv4 or IPv6 address, as the resolver gives it. Anything else is not allowed. */
  isAllowed(address: string): boolean;
}

export interface AddressRanges {
  /** Addresses or CIDR ranges that are never contacted. */
  deny: readonly string[];
  /** Exceptions to `deny`. */
  allow?: readonly string[];
}

/** Null when the text is no address and no CIDR range. */
export function parseRange(text: string): { address: string; prefix: number } | null {
  const [address = '', prefixText, ...rest] = text.trim().split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return null;
  const bits = family === 4 ? 32 : 128;
  if (prefixText === undefined) return { address, prefix: bits };
  if (!/^\d{1,3}$/.test(prefixText) || Number(prefixText) > bits) return null;
  return { address, prefix: Number(prefixText) };
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of ranges) {
    const range = parseRange(text);
    if (range === null) throw new Error(`${text} is no address and no range of addresses`);
    list.addSubnet(range.address, range.prefix, isIPv4(range.address) ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const plain = address.replace(/%.*$/, '').replace(/\d+(?:\.\d+){3}$/, (v4) => {
    const [a = 0, b = 0, c = 0, d = 0] = v4.split('.').map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = plain.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((g) => parseInt(g, 16)));
  const first = parse(head);
  const last = tail === undefined ? [] : parse(tail);
  const zeros = Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0);
  return [...first, ...zeros, ...last];
}

const v4Of = (high: number, low: number) => [high >> 8, high & 255, low >> 8, low & 255].join('.');

/**
 * The IPv4 address that an IPv6 address leads to by itself: mapped or compatible (RFC 4291, 2.5.5),
 * 6to4 (RFC 3056), NAT64 (RFC 6052). Null when it leads to none.
 */
export function embeddedIpv4(address: string): string | null {
  const g = groupsOf(address);
  const isZero = (from: number, upto: number) => g.slice(from, upto).every((group) => group === 0);
  if (g[0] === 0x2002) return v4Of(g[1]!, g[2]!);
  const isMapped = isZero(0, 5) && (g[5] === 0xffff || g[5] === 0);
  const isTranslated = isZero(0, 4) && g[4] === 0xffff && g[5] === 0;
  const isNat64 = g[0] === 0x64 && g[1] === 0xff9b && isZero(2, 6);
  return isMapped || isTranslated || isNat64 ? v4Of(g[6]!, g[7]!) : null;
}

/** "This machine" to most systems; nobody means it. */
const unspecified = ['0.0.0.0', '::'];

/** Throws when a range is none. */
export function createAddressPolicy(ranges: AddressRanges): AddressPolicy {
  const denied = listOf([...ranges.deny, ...unspecified]);
  const allowed = listOf(ranges.allow ?? []);
  const passes = (address: string, family: 'ipv4' | 'ipv6') =>
    allowed.check(address, family) || !denied.check(address, family);
  return {
    isAllowed(address) {
      const family = isIP(address);
      if (family === 0) return false;
      if (family === 4) return passes(address, 'ipv4');
      const plain = address.replace(/%.*$/, '');
      const inner = embeddedIpv4(plain);
      return passes(plain, 'ipv6') && (inner === null || passes(inner, 'ipv4'));
    },
  };
}
