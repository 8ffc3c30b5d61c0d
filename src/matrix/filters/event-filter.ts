import type { JsonObject } from '../pdu.ts';
import { compileGlob } from '../push-rules/glob.ts';
import { membersOf, type Members } from './json-shape.ts';

/** Which events of one section of an answer are wanted. Spec: `EventFilter`. */
export interface EventFilter {
  /** Nothing about events is asked for: no event need be looked at. `limit` may still be set. */
  readonly matchesAll: boolean;
  /** Largest number of events; null: the server's own. */
  readonly limit: number | null;
  /** What the filter says, for those who let a database filter. */
  readonly criteria: EventCriteria;
  /**
   * Whether an event is wanted. `content` is only called when the filter asks for something
   * there; without it (account data has none to look at) such conditions do not hold.
   */
  admits(type: string, sender: string | null, content?: () => JsonObject): boolean;
}

/** The lists of a filter as the client gave them; null: absent. Types may have `*`. */
export interface EventCriteria {
  readonly types: readonly string[] | null;
  readonly notTypes: readonly string[] | null;
  readonly senders: readonly string[] | null;
  readonly notSenders: readonly string[] | null;
  readonly containsUrl: boolean | null;
  /** How events relate to others themselves (MSC3874). */
  readonly relTypes: readonly string[] | null;
  readonly notRelTypes: readonly string[] | null;
}

/** Which events of rooms are wanted. Spec: `RoomEventFilter`. */
export interface RoomEventFilter extends EventFilter {
  readonly lazyLoadMembers: boolean;
  readonly includeRedundantMembers: boolean;
  readonly unreadThreadNotifications: boolean;
  /** Only events that others of these senders, or by these types, relate to; null: any. */
  readonly relatedBySenders: readonly string[] | null;
  readonly relatedByRelTypes: readonly string[] | null;
  /** Whether events of this room are wanted; `matchesAll` does not speak of rooms. */
  admitsRoom(roomId: string): boolean;
}

type TextMatcher = (text: string) => boolean;
const everything: TextMatcher = () => true;

/** Null: absent. An empty `included` list admits nothing. */
function listMatcher(
  included: readonly string[] | null,
  excluded: readonly string[] | null,
  oneOf: (list: readonly string[]) => TextMatcher,
): TextMatcher {
  const isIn = included === null ? null : oneOf(included);
  const isOut = excluded === null || excluded.length === 0 ? null : oneOf(excluded);
  if (isIn === null && isOut === null) return everything;
  if (isOut === null) return isIn!;
  if (isIn === null) return (text) => !isOut(text);
  return (text) => isIn(text) && !isOut(text);
}

function oneOfIds(list: readonly string[]): TextMatcher {
  const set = new Set(list);
  return (text) => set.has(text);
}

/** Types of which `*` is any characters. */
function oneOfTypes(list: readonly string[]): TextMatcher {
  const exact = new Set(list.filter((type) => !type.includes('*')));
  const globs = list
    .filter((type) => type.includes('*'))
    .map((type) => compileGlob(type, { questionMark: false }));
  if (globs.length === 0) return (text) => exact.has(text);
  return (text) => exact.has(text) || globs.some((glob) => glob.matches(text));
}

export function idMatcher(
  included: readonly string[] | null,
  excluded: readonly string[] | null,
): TextMatcher {
  return listMatcher(included, excluded, oneOfIds);
}

type ContentMatcher = (content: JsonObject) => boolean;

/** The relation type of an event's content; null: it relates to nothing. */
function relTypeOf(content: JsonObject): string | null {
  const relation = content['m.relates_to'];
  if (typeof relation !== 'object' || relation === null || Array.isArray(relation)) return null;
  return typeof relation.rel_type === 'string' ? relation.rel_type : null;
}

function contentMatcher({
  containsUrl,
  relTypes,
  notRelTypes,
}: EventCriteria): ContentMatcher | null {
  const matchers: ContentMatcher[] = [];
  if (containsUrl !== null) {
    matchers.push((content) => (typeof content.url === 'string') === containsUrl);
  }
  if (relTypes !== null) matchers.push((content) => relTypes.includes(relTypeOf(content) ?? ''));
  if (notRelTypes !== null) {
    matchers.push((content) => !notRelTypes.includes(relTypeOf(content) ?? ''));
  }
  if (matchers.length === 0) return null;
  return (content) => matchers.every((matches) => matches(content));
}

export function eventFilterOf(members: Members): EventFilter {
  const limit = members.count('limit');
  const criteria: EventCriteria = {
    types: members.strings('types'),
    notTypes: members.strings('not_types'),
    senders: members.strings('senders', { sigil: '@' }),
    notSenders: members.strings('not_senders', { sigil: '@' }),
    containsUrl: members.boolean('contains_url'),
    relTypes: members.strings('org.matrix.msc3874.rel_types'),
    notRelTypes: members.strings('org.matrix.msc3874.not_rel_types'),
  };
  const types = listMatcher(criteria.types, criteria.notTypes, oneOfTypes);
  const senders = idMatcher(criteria.senders, criteria.notSenders);
  const content = contentMatcher(criteria);
  const matchesAll = types === everything && senders === everything && content === null;
  return {
    matchesAll,
    limit,
    criteria,
    admits: matchesAll
      ? everything
      : (type, sender, contentOf) =>
          types(type) &&
          senders(sender ?? '') &&
          (content === null || (contentOf !== undefined && content(contentOf()))),
  };
}

export function roomEventFilterOf(members: Members): RoomEventFilter {
  const filter = eventFilterOf(members);
  const relatedBySenders = members.strings('related_by_senders', { sigil: '@' });
  const relatedByRelTypes = members.strings('related_by_rel_types');
  return {
    ...filter,
    matchesAll: filter.matchesAll && relatedBySenders === null && relatedByRelTypes === null,
    lazyLoadMembers: members.boolean('lazy_load_members') ?? false,
    includeRedundantMembers: members.boolean('include_redundant_members') ?? false,
    unreadThreadNotifications:
      members.boolean('unread_thread_notifications') ??
      members.boolean('org.matrix.msc3773.unread_thread_notifications') ??
      false,
    relatedBySenders,
    relatedByRelTypes,
    admitsRoom: idMatcher(
      members.strings('rooms', { sigil: '!' }),
      members.strings('not_rooms', { sigil: '!' }),
    ),
  };
}

/** Compiles the filter of `/messages`, `/context` and `/search`. Throws InvalidFilter. */
export function parseRoomEventFilter(json: unknown): RoomEventFilter {
  return roomEventFilterOf(membersOf(json, 'filter'));
}
