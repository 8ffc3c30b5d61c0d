import type { Database } from '../database/database.ts';
import type { Requester } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { CommunitiesConfig } from './config.ts';
import { selectCommunity, type CommunityRow } from './store/communities.ts';

/** What the endpoints of this domain work with. */
export interface CommunityServices {
  database: Database;
  clock: Clock;
  config: CommunitiesConfig;
  /** The number of a user of this server. Rejects with M_NOT_FOUND. */
  localUser(userId: string): Promise<number>;
}

/** CS r0.2 has them begin with `+`; the rest is as for user ids. */
export const isCommunityId = (id: string) => /^\+[a-z0-9=_\-./]{1,200}:[^\s]{1,250}$/.test(id);

/** The community, as somebody sees it who may be nobody. Throws M_NOT_FOUND. */
export async function find(
  { database }: CommunityServices,
  communityId: string,
  readerNid: number,
): Promise<CommunityRow> {
  const [row] = await database.query(selectCommunity, [communityId, readerNid]);
  if (!row) throw new MatrixError('M_NOT_FOUND', `Group ${communityId} not found`);
  return row;
}

/** The same, for those who may look at it. Throws M_FORBIDDEN. */
export async function readable(
  services: CommunityServices,
  communityId: string,
  reader: Requester | null,
): Promise<CommunityRow> {
  const community = await find(services, communityId, reader?.userNid ?? 0);
  if (!community.isPublic && community.membership !== 'join') {
    throw new MatrixError('M_FORBIDDEN', 'Only members may look at this group');
  }
  return community;
}

/** The same, for its admins. Throws M_FORBIDDEN. */
export async function administered(
  services: CommunityServices,
  communityId: string,
  admin: Requester,
): Promise<CommunityRow> {
  const community = await find(services, communityId, admin.userNid);
  if (community.membership !== 'join' || !community.isAdmin) {
    throw new MatrixError('M_FORBIDDEN', 'User is not admin in group');
  }
  return community;
}

/** Others than members see what is public. */
export const seesOnlyPublic = (community: CommunityRow) => community.membership !== 'join';
