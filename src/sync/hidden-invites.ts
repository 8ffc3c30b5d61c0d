import type { InvitePermissions } from '../matrix/invite-permissions.ts';
import type { RoomPlan } from './plan.ts';
import type { SyncSources } from './sources.ts';

/** Whose invites a user does not want to see. */
export interface UnwantedInviters {
  ignored: ReadonlySet<string>;
  permissions: InvitePermissions;
}

export async function unwantedInviters(
  { accountData }: Pick<SyncSources, 'accountData'>,
  userNid: number,
): Promise<UnwantedInviters> {
  const [ignored, permissions] = await Promise.all([
    accountData.ignoredUsers(userNid),
    accountData.invitePermissions(userNid),
  ]);
  return { ignored, permissions };
}

/** Whether a user's invites are not shown to the invited user (CS 1.18, "Invite permission"). */
export const isUnwanted = (inviter: string, { ignored, permissions }: UnwantedInviters): boolean =>
  ignored.has(inviter) || permissions.actionFor(inviter) !== 'allow';

/** Whether an invite is not shown to the invited user. */
export function isHiddenInvite(
  plan: Pick<RoomPlan, 'section' | 'state'>,
  userId: string,
  unwanted: UnwantedInviters,
): boolean {
  if (plan.section !== 'invite') return false;
  const own = plan.state.find(
    ({ type, stateKey }) => type === 'm.room.member' && stateKey === userId,
  );
  return own !== undefined && isUnwanted(own.sender, unwanted);
}
