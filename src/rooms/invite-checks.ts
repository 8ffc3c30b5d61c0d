import { MatrixError } from '../kernel/errors.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { Actor } from './needs.ts';
import type { RoomServices } from './services.ts';

/**
 * Throws M_INVITE_BLOCKED when a user of this server does not want to be invited by the other; of
 * other servers' users their servers know. Source: CS 1.18, "Invite permission"; MSC4155.
 */
export async function checkMayInvite(
  { config, inviteChecks }: Pick<RoomServices, 'config' | 'inviteChecks'>,
  inviter: string,
  invitee: string,
): Promise<void> {
  if (inviter === invitee || serverNameOf(invitee) !== config.serverName) return;
  const permissions = await inviteChecks.permissionsOf(invitee);
  if (permissions.actionFor(inviter) === 'block') {
    throw new MatrixError(permissions.blockedCode, `${invitee} does not want to be invited`);
  }
}

/** The same for a user of this server; admins may always. Who does not exist yet may be made. */
export async function checkActorMayInvite(
  services: Pick<RoomServices, 'config' | 'inviteChecks'>,
  actor: Pick<Actor, 'userId' | 'isAdmin'>,
  invitees: readonly string[],
): Promise<void> {
  await Promise.all(
    invitees.map(async (invitee) => {
      const isOwn = serverNameOf(invitee) === services.config.serverName;
      if (isOwn) await services.inviteChecks.expect(invitee);
      if (!actor.isAdmin) await checkMayInvite(services, actor.userId, invitee);
    }),
  );
}
