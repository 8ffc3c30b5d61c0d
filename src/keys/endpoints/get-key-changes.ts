import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { parsePosition } from '../../streams/position.ts';
import type { KeysServices } from '../services.ts';

function positionOf(text: string, name: string) {
  const position = parsePosition(text);
  if (!position) {
    throw new MatrixError('M_INVALID_PARAM', `\`${name}\` is not a token of this server`);
  }
  return position;
}

/**
 * What a client that was away has missed. What came after `to` is told as well: the client will be
 * told again by its next sync, and asks for the newest keys in any case.
 */
export const getKeysChanges = endpoint<KeysServices>()({
  operation: 'getKeysChanges',
  method: 'GET',
  paths: clientPaths('/keys/changes'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'user' },
  summary: 'Users whose devices or keys have changed between two syncs',
  source: 'CS 1.19, getKeysChanges',
  query: Type.Object({ from: Type.String(), to: Type.Optional(Type.String()) }),
  errors: ['M_INVALID_PARAM', 'M_MISSING_PARAM'],
  async handle({ query, requester }, { deviceListChanges }) {
    if (query.to !== undefined) positionOf(query.to, 'to');
    return deviceListChanges(requester, positionOf(query.from, 'from').durable);
  },
});
