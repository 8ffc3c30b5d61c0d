import { MatrixError } from '../kernel/errors.ts';
import { relationIn } from './relation.ts';
import type { RoomAccessCache } from './room-access.ts';
import type { NewRelationStore } from './store/new-relation.ts';

interface Needs {
  access: RoomAccessCache;
  newRelations: NewRelationStore;
}

/**
 * Whether a client may send an event with this content, as far as it refers to another event.
 * Throws M_DUPLICATE_ANNOTATION for a reaction made before, M_UNKNOWN for a thread that begins in
 * another or at an event that refers to one. Source: client-server spec, "Avoiding duplicate
 * annotations", "Validation of m.thread relationships". Events of other servers are not judged.
 */
export async function checkNewRelation(
  { access, newRelations }: Needs,
  sender: { userNid: number },
  roomId: string,
  { type, content }: { type: string; content: Record<string, unknown> },
): Promise<void> {
  const relation = relationIn(content);
  if (relation?.relType !== 'm.annotation' && relation?.relType !== 'm.thread') return;
  const room = await access.of(roomId, sender.userNid);
  // The room's writer says what is wrong.
  if (room?.membership !== 'join') return;
  if (relation.relType === 'm.annotation') {
    if (await newRelations.isRepeated(room.roomNid, sender.userNid, type, relation)) {
      throw new MatrixError('M_DUPLICATE_ANNOTATION', "Can't send same reaction twice");
    }
  } else if (await newRelations.isRelated(room.roomNid, relation.parentId)) {
    throw new MatrixError('M_UNKNOWN', 'Cannot start threads from an event with a relation');
  }
}
