import { matches } from '../appservices/registrations.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Actor, AppserviceAliases, DirectoryRule, RoomsConfig } from './needs.ts';

function globMatches(pattern: string, text: string): boolean {
  if (pattern === '*') return true;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}

function isAllowed(
  rules: readonly DirectoryRule[],
  userId: string,
  aliases: readonly string[],
  roomId: string,
): boolean {
  for (const rule of rules) {
    const aliasFits = rule.alias === '*' || aliases.some((alias) => globMatches(rule.alias, alias));
    if (aliasFits && globMatches(rule.userId, userId) && globMatches(rule.roomId, roomId)) {
      return rule.action === 'allow';
    }
  }
  return false;
}

/** Throws M_FORBIDDEN when [alias_creation_rules] do not let the user make the alias. */
export function checkAliasAllowed(
  config: RoomsConfig,
  actor: Actor,
  alias: string,
  roomId: string,
): void {
  if (actor.isAdmin || isAllowed(config.aliasCreationRules, actor.userId, [alias], roomId)) return;
  throw new MatrixError('M_FORBIDDEN', 'Not allowed to create alias');
}

/**
 * Throws M_EXCLUSIVE for an alias that an application service has for itself, and for a service when
 * the alias is none of its own. Source: application service API 1.19, "Server admin style permissions".
 */
export function checkAliasFree(
  { registrations }: AppserviceAliases,
  { appservice }: Pick<Actor, 'appservice'>,
  alias: string,
): void {
  const owner = registrations.exclusiveForAlias(alias);
  if (owner && owner.id !== appservice?.id) {
    throw new MatrixError('M_EXCLUSIVE', 'This alias is reserved by an application service.');
  }
  if (!appservice) return;
  const service = registrations.byId(appservice.id);
  if (!service || !matches(service.namespaces.aliases, alias)) {
    throw new MatrixError('M_EXCLUSIVE', 'This application service has not reserved this alias.');
  }
}

/** Throws M_FORBIDDEN when [room_list_publication_rules] do not let the user publish the room. */
export function checkPublicationAllowed(
  config: RoomsConfig,
  actor: Actor,
  roomId: string,
  aliases: readonly string[],
): void {
  if (actor.isAdmin || isAllowed(config.publicationRules, actor.userId, aliases, roomId)) return;
  throw new MatrixError('M_FORBIDDEN', 'Not allowed to publish room');
}
