import { MatrixError } from '../kernel/errors.ts';
import type { Deletion } from './deletion.ts';
import { mediaIn, mediaName, parseMxc } from './mxc.ts';
import type { AdminRows } from './store/admin-media.ts';
import type { MediaName } from './store/delete-media.ts';
import type { Media, MediaRows } from './store/media.ts';

/** What admins' work on media asks of other domains. */
export interface MediaSurroundings {
  /** Contents of a room's events that name media, as JSON; null: there is no such room. */
  contentsIn(roomId: string): Promise<AsyncIterable<string> | null>;
  /** Those of the URIs that users or rooms have as avatars. */
  avatarsAmong(uris: readonly string[]): Promise<ReadonlySet<string>>;
  /** Null when there is no such user. */
  userNidOf(userId: string): number | null | Promise<number | null>;
  userIdOf(userNid: number): string | Promise<string>;
}

export interface MediaAdminNeeds {
  serverName: string;
  rows: MediaRows;
  adminRows: AdminRows;
  deletion: Deletion;
  surroundings: MediaSurroundings;
}

export interface OldMediaWish {
  beforeTs: number;
  bytesAbove: number;
  keepsAvatars: boolean;
}

const unknownMedia = () => new MatrixError('M_NOT_FOUND', 'There is no such media');
/** A time before this is surely meant in seconds. */
const earliestTs = 30_000_000_000;
/** Contents that are put into quarantine in one statement. */
const quarantinedAtOnce = 1_000;

function checkTs(beforeTs: number): void {
  if (beforeTs < earliestTs) {
    const text = 'before_ts must be in milliseconds since 1970, and this is of that year';
    throw new MatrixError('M_INVALID_PARAM', text);
  }
}

/** What admins do with media. */
export function createMediaAdmin(needs: MediaAdminNeeds) {
  const { serverName, rows, adminRows, deletion, surroundings } = needs;
  const uriOf = (mediaId: string) => `mxc://${serverName}/${mediaId}`;
  const nameOf = (parts: { serverName: string; mediaId: string }) => mediaName(parts, serverName);

  async function userNid(userId: string): Promise<number> {
    const found = userId.endsWith(`:${serverName}`) ? await surroundings.userNidOf(userId) : null;
    if (found === null) throw new MatrixError('M_NOT_FOUND', 'There is no such user here');
    return found;
  }

  async function inRoom(roomId: string): Promise<Set<string>> {
    const contents = await surroundings.contentsIn(roomId);
    if (contents === null) throw new MatrixError('M_NOT_FOUND', 'There is no such room');
    const uris = new Set<string>();
    for await (const content of contents)
      for (const uri of mediaIn(JSON.parse(content))) uris.add(uri);
    return uris;
  }

  async function quarantineHashes(hashes: readonly string[], by: string): Promise<number> {
    let count = 0;
    for (let at = 0; at < hashes.length; at += quarantinedAtOnce) {
      // oxlint-disable-next-line no-await-in-loop -- in portions
      count += await adminRows.quarantine(hashes.slice(at, at + quarantinedAtOnce), by);
    }
    return count;
  }

  return {
    async find(parts: {
      serverName: string;
      mediaId: string;
    }): Promise<Media & { userId: string | null }> {
      const { origin, mediaId } = nameOf(parts);
      const media = await rows.find(origin, mediaId);
      if (media === null) throw unknownMedia();
      const owner = media.userNid === null ? null : await surroundings.userIdOf(media.userNid);
      return { ...media, userId: owner };
    },
    async inRoom(roomId: string): Promise<{ local: string[]; remote: string[] }> {
      const uris = [...(await inRoom(roomId))];
      const isLocal = (uri: string) => parseMxc(uri)!.serverName === serverName;
      return { local: uris.filter(isLocal), remote: uris.filter((uri) => !isLocal(uri)) };
    },
    async ofUser(userId: string, page: Parameters<AdminRows['list']>[1]) {
      const nid = await userNid(userId);
      const [media, total] = await Promise.all([adminRows.list(nid, page), adminRows.count(nid)]);
      return { media, total };
    },
    /** Puts what has the content of one of the media into quarantine; gives how many. */
    async quarantine(parts: { serverName: string; mediaId: string }, by: string): Promise<number> {
      return quarantineHashes(await adminRows.hashes([nameOf(parts)]), by);
    },
    async quarantineRoom(roomId: string, by: string): Promise<number> {
      const names = [...(await inRoom(roomId))].map((uri) => nameOf(parseMxc(uri)!));
      return quarantineHashes(await adminRows.hashes(names), by);
    },
    async quarantineUser(userId: string, by: string): Promise<number> {
      return quarantineHashes(await adminRows.hashesOfUser(await userNid(userId)), by);
    },
    async unquarantine(parts: { serverName: string; mediaId: string }): Promise<void> {
      const { origin, mediaId } = nameOf(parts);
      await adminRows.unquarantine(origin, mediaId);
    },
    changes: (after: number, max: number) => adminRows.changes(after, max),
    async protect(mediaId: string, isProtected: boolean): Promise<void> {
      if (!(await adminRows.protect(mediaId, isProtected))) throw unknownMedia();
    },
    async delete(parts: { serverName: string; mediaId: string }): Promise<string[]> {
      if (parts.serverName !== serverName) {
        throw new MatrixError('M_UNKNOWN', 'Only media of this server can be deleted so');
      }
      const name: MediaName = nameOf(parts);
      if ((await rows.find(name.origin, name.mediaId)) === null) throw unknownMedia();
      await deletion.delete([name]);
      return [name.mediaId];
    },
    async deleteOfUser(userId: string, page: Parameters<AdminRows['list']>[1]): Promise<string[]> {
      const media = await adminRows.list(await userNid(userId), page);
      await deletion.delete(media);
      return media.map(({ mediaId }) => mediaId);
    },
    /** Deletes this server's media that were not looked at since a time; gives their ids. */
    async deleteOld({ beforeTs, bytesAbove, keepsAvatars }: OldMediaWish): Promise<string[]> {
      checkTs(beforeTs);
      const which = { isLocal: true, beforeTs, bytesMin: bytesAbove + 1, alsoMarked: true };
      return deletion.deleteOld(which, async (page) => {
        if (!keepsAvatars) return () => false;
        const uris = page.map(({ mediaId }) => uriOf(mediaId));
        const avatars = await surroundings.avatarsAmong(uris);
        return ({ mediaId }) => avatars.has(uriOf(mediaId));
      });
    },
    /** Deletes copies of other servers' media that were not looked at since a time; gives how many. */
    async purgeRemote(beforeTs: number): Promise<number> {
      checkTs(beforeTs);
      const which = { isLocal: false, beforeTs, bytesMin: 0, alsoMarked: true };
      return (await deletion.deleteOld(which)).length;
    },
  };
}

export type MediaAdmin = ReturnType<typeof createMediaAdmin>;
