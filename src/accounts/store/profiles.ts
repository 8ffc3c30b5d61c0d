import { statement } from '../../database/statement.ts';

/** Values are JSON text. */
export interface ProfileFieldRow {
  field: string;
  value: string;
}

/**
 * The profile of a user who has an account. One row with null field for an account whose profile is
 * empty; none when there is no such account, or it is deactivated and nothing is left of its profile.
 */
export const selectProfile = statement<
  [userId: string],
  { field: string | null; value: string | null }
>(
  'accounts.profile',
  `select p.field, p.value from users u
     join accounts a on a.user_nid = u.user_nid
     left join profile_fields p on p.user_nid = u.user_nid
   where u.user_id = $1 and (not a.is_deactivated or p.field is not null)`,
);

/** Names and avatars of several users, one row per field. */
export const selectMemberProfiles = statement<
  [userNids: number[]],
  { userNid: number; field: string; value: string }
>(
  'accounts.member_profiles',
  `select user_nid as "userNid", field, value from profile_fields
   where user_nid = any($1) and field in ('displayname', 'avatar_url')`,
);

/**
 * Sets a field unless the profile would then be larger than `bytesMax`; sizes are those of the
 * field names and values as JSON. Gives the value before it, if any.
 */
export const upsertProfileField = statement<
  [userNid: number, field: string, value: string, bytesMax: number],
  { isStored: boolean; before: string | null }
>(
  'accounts.set_profile_field',
  `with others as (
     select coalesce(sum(octet_length(to_json(field)::text) + octet_length(value) + 2), 0) as bytes
     from profile_fields where user_nid = $1 and field <> $2
   ), previous as (
     select value from profile_fields where user_nid = $1 and field = $2
   ), stored as (
     insert into profile_fields (user_nid, field, value)
       select $1, $2, $3 from others
       where bytes + octet_length(to_json($2::text)::text) + octet_length($3) + 3 <= $4
     on conflict (user_nid, field) do update set value = excluded.value
     returning field
   )
   select exists (select from stored) as "isStored", (select value from previous) as before`,
);

export const deleteProfileField = statement<[userNid: number, field: string], { value: string }>(
  'accounts.delete_profile_field',
  `delete from profile_fields where user_nid = $1 and field = $2 returning value`,
);

export const deleteProfile = statement<[userNid: number], { field: string }>(
  'accounts.delete_profile',
  `delete from profile_fields where user_nid = $1 returning field`,
);
