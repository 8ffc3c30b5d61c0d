import type { Pdu } from '../pdu.ts';

/**
 * Whether an event carries a signature of the server. An event that is being made here is signed
 * after it is authorised; whether received signatures are good is checked when they come in.
 */
export function verifySignedEvent(pdu: Pdu, serverName: string): boolean {
  const isBeingMade = Object.keys(pdu.signatures).length === 0;
  return isBeingMade || pdu.signatures[serverName] !== undefined;
}
