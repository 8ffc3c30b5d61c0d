import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { AddressPolicy } from './address-policy.ts';
import { OutboundError } from './errors.ts';

/** Tells all addresses of a name. */
export type Resolve = (
  hostname: string,
  told: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** As the system resolves names, hosts file included. */
export const systemResolve: Resolve = (hostname, told) =>
  systemLookup(hostname, { all: true }, told);

/**
 * The look-up of connections: what it gives is what the socket connects to, so that a name cannot
 * be one address when it is checked and another when it is used. A name with any denied address is
 * denied as a whole.
 */
export function createCheckedLookup(policy: AddressPolicy, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, (error, addresses) => {
      if (error) {
        callback(error, []);
        return;
      }
      if (!addresses.every(({ address }) => policy.isAllowed(address))) {
        callback(new OutboundError('blocked', `${hostname} may not be contacted`), []);
        return;
      }
      const wanted = addresses.filter(
        ({ family }) => !options.family || `${options.family}`.endsWith(`${family}`),
      );
      const [first] = wanted;
      if (!first) callback(new OutboundError('unreachable', `${hostname} has no address`), []);
      else if (options.all) callback(null, wanted);
      else callback(null, first.address, first.family);
    });
  };
}
