import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isRoomId } from '../../matrix/ids.ts';
import { shared, type RoomAdminServices } from '../needs.ts';

const declare = endpoint<RoomAdminServices>();
const source = 'Synapse admin API, "Block Room API"';
const paths = ['/_synapse/admin/v1/rooms/:roomId/block'];

/** Throws M_UNKNOWN. */
export function legalRoomId(text: string | undefined): string {
  if (text !== undefined && isRoomId(text)) return text;
  throw new MatrixError('M_UNKNOWN', `${text ?? ''} is not a legal room ID`);
}

const getBlock = declare({
  ...shared,
  operation: 'adminGetRoomBlock',
  method: 'GET',
  paths,
  summary: 'Whether a room is blocked',
  source,
  errors: ['M_FORBIDDEN', 'M_UNKNOWN'],
  async handle({ params }, { rooms }) {
    const by = await rooms.blocks.blockedBy(legalRoomId(params['roomId']));
    return by === null ? { block: false } : { block: true, user_id: by };
  },
});

const setBlock = declare({
  ...shared,
  operation: 'adminSetRoomBlock',
  method: 'PUT',
  paths,
  summary: 'Keeps everybody out of a room, known here or not, or no longer',
  source,
  body: Type.Object({ block: Type.Boolean() }),
  errors: ['M_FORBIDDEN', 'M_UNKNOWN', 'M_BAD_JSON'],
  async handle({ params, body, requester }, { rooms }) {
    const roomId = legalRoomId(params['roomId']);
    await rooms.blocks.set(roomId, body.block ? { by: requester.userId } : null);
    return { block: body.block };
  },
});

export const blockingEndpoints = [getBlock, setBlock];
