import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { Tasks } from '../tasks/module.ts';
import { redactAction, redactUserEndpoints } from './endpoints/redact-user.ts';
import { redactUser, type RedactionNeeds } from './redact.ts';

export interface UserRedactionNeeds extends RedactionNeeds {
  rooms: RedactionNeeds['rooms'] & Pick<RoomServices, 'userFacts'>;
  tasks: Tasks;
}

/** Redacting all that a user has sent. */
export function createUserRedaction(needs: UserRedactionNeeds): { endpoints: Endpoint[] } {
  const { tasks, rooms } = needs;
  tasks.register(redactAction, { isUpdate: false, work: (task) => redactUser(needs, task) });
  const { memberships } = rooms.userFacts;
  return { endpoints: bindEndpoints(redactUserEndpoints, { tasks, memberships }) };
}
