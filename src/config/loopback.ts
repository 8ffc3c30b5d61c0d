import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach an address. */
export function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** The address that stands for all of the machine's; `::` includes IPv4. */
export function everyAddress(): string {
  const all = Object.values(networkInterfaces()).flat();
  return all.some((one) => one?.family === 'IPv6') ? '::' : '0.0.0.0';
}
