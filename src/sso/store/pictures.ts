import { statement } from '../../database/statement.ts';

export const selectPicture = statement<[userNid: number], { sha256: Buffer; avatarUrl: string }>(
  'sso.picture',
  `select sha256, avatar_url as "avatarUrl" from sso_pictures where user_nid = $1`,
);

export const upsertPicture = statement<
  [userNid: number, sha256: Buffer, avatarUrl: string],
  object
>(
  'sso.save_picture',
  `insert into sso_pictures (user_nid, sha256, avatar_url) values ($1, $2, $3)
   on conflict (user_nid) do update
     set sha256 = excluded.sha256, avatar_url = excluded.avatar_url`,
);
