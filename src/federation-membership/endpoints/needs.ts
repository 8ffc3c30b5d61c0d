import { Type, type Static } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import type { Memberships } from '../module.ts';

export const declare = endpoint<Memberships>();

export const placed = {
  auth: 'server',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
} as const;

/** Versions of rooms that the other server knows. */
export const versionsQuery = Type.Object({ ver: Type.Optional(Type.Array(Type.String())) });
/** Before there were several, all servers knew the first. */
export const versionsIn = ({ ver }: Static<typeof versionsQuery>): string[] => ver ?? ['1'];

export const pduBody = Type.Record(Type.String(), Type.Any());

export const templateAnswer = {
  200: Type.Object({ room_version: Type.String(), event: pduBody }),
};
