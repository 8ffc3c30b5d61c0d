import { createHash } from 'node:crypto';
import type { UserRef } from '../accounts/module.ts';
import type { SsoNeeds } from './needs.ts';
import { selectPicture, upsertPicture } from './store/pictures.ts';

/** Larger pictures are left alone. */
const pictureBytesMax = 5 * 1024 * 1024;
const redirectsMax = 3;
const pictureTypes = /^image\/(?:png|jpeg|gif|webp|avif)$/;

/** Pictures of users as identity providers have them. */
export interface Pictures {
  /**
   * Fetches the picture and makes it the user's, after this returns; null: there is none. What fails is
   * written into the log alone: people can do without.
   */
  take(user: UserRef, url: string | null): void;
}

export function createPictures(needs: SsoNeeds): Pictures {
  const { accounts, database, log, outboundToAnybody: http } = needs;

  async function fetched(url: string): Promise<{ bytes: Buffer; type: string }> {
    const answer = await http.fetch(url, { redirectsMax, bytesMax: pictureBytesMax });
    const [type = ''] = (answer.headers['content-type'] ?? '').split(';');
    if (answer.status !== 200 || !pictureTypes.test(type.trim())) {
      throw new Error(`no picture, but ${answer.status} ${type}`);
    }
    return { bytes: answer.body, type: type.trim() };
  }

  async function setPicture(user: UserRef, url: string): Promise<void> {
    const { bytes, type } = await fetched(url);
    const sha256 = createHash('sha256').update(bytes).digest();
    const [known] = await database.query(selectPicture, [user.userNid]);
    const profiles = await accounts.profiles.memberProfiles([user.userNid]);
    const current = profiles.get(user.userNid)?.avatar_url;
    if (known?.sha256.equals(sha256) && known.avatarUrl === current) return;
    const avatarUrl = await needs.savePicture(user.userNid, bytes, type);
    await accounts.profiles.setField(user, 'avatar_url', avatarUrl, { propagate: true });
    await database.query(upsertPicture, [user.userNid, sha256, avatarUrl]);
  }

  return {
    take({ userNid, userId }, url) {
      if (url === null || !/^https?:\/\//.test(url)) return;
      setPicture({ userNid, userId }, url).catch((error: unknown) => {
        log.warn({ err: error, userId }, 'the picture of a user could not be taken over');
      });
    },
  };
}
