import { statement } from '../../database/statement.ts';

/** Categories hold rooms, roles hold users. */
export type SectionKind = 'category' | 'role';
export type FeaturedKind = 'room' | 'user';

export interface SectionRow {
  sectionId: string;
  /** JSON text. */
  profile: string;
  isPublic: boolean;
}

export interface FeaturedRow {
  target: string;
  /** Empty: in no section. */
  sectionId: string;
  position: number;
  isPublic: boolean;
}

export const selectSections = statement<[communityNid: number, kind: SectionKind], SectionRow>(
  'communities.sections',
  `select section_id as "sectionId", profile, is_public as "isPublic" from community_sections
   where community_nid = $1 and kind = $2 order by section_id`,
);

/** No row when there would be more than `max` of them. */
export const upsertSection = statement<
  [
    communityNid: number,
    kind: SectionKind,
    sectionId: string,
    profile: string | null,
    isPublic: boolean,
    max: number,
  ],
  { sectionId: string }
>(
  'communities.set_section',
  `insert into community_sections (community_nid, kind, section_id, profile, is_public)
     select $1, $2, $3, coalesce($4, '{}'), $5
     where (select count(*) from community_sections
            where community_nid = $1 and kind = $2 and section_id <> $3) < $6
   on conflict (community_nid, kind, section_id) do update
     set profile = coalesce($4, community_sections.profile), is_public = excluded.is_public
   returning section_id as "sectionId"`,
);

export const deleteSection = statement<
  [communityNid: number, kind: SectionKind, sectionId: string, featuredKind: FeaturedKind],
  object
>(
  'communities.remove_section',
  `with featured as (
     delete from community_featured where community_nid = $1 and kind = $4 and section_id = $3
   )
   delete from community_sections where community_nid = $1 and kind = $2 and section_id = $3`,
);

export const selectFeatured = statement<[communityNid: number, kind: FeaturedKind], FeaturedRow>(
  'communities.featured',
  `select target, section_id as "sectionId", position, is_public as "isPublic"
   from community_featured where community_nid = $1 and kind = $2
   order by section_id, position, target`,
);

/** Behind the others unless a position is given. No row when there would be more than `max`. */
export const upsertFeatured = statement<
  [
    communityNid: number,
    kind: FeaturedKind,
    target: string,
    sectionId: string,
    position: number | null,
    isPublic: boolean,
    max: number,
  ],
  { target: string }
>(
  'communities.set_featured',
  `insert into community_featured (community_nid, kind, target, section_id, position, is_public)
     select $1, $2, $3, $4,
       coalesce($5, 1 + coalesce((select max(position) from community_featured
         where community_nid = $1 and kind = $2 and section_id = $4), 0)), $6
     where (select count(*) from community_featured where community_nid = $1 and kind = $2) < $7
   on conflict (community_nid, kind, section_id, target) do update
     set position = coalesce($5, community_featured.position), is_public = excluded.is_public
   returning target`,
);

export const deleteFeatured = statement<
  [communityNid: number, kind: FeaturedKind, target: string, sectionId: string],
  object
>(
  'communities.remove_featured',
  `delete from community_featured
   where community_nid = $1 and kind = $2 and target = $3 and section_id = $4`,
);
