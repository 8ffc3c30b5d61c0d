import { serverNameOf } from './ids.ts';
import type { JsonObject, JsonValue } from './pdu.ts';
import { compileGlob } from './push-rules/glob.ts';

/** `ignore`: the inviter does not learn that the invited user does not see the invite. */
export type InviteAction = 'allow' | 'ignore' | 'block';

/** Who may invite a user. */
export interface InvitePermissions {
  actionFor(inviter: string): InviteAction;
  /** What those are told who may not. */
  readonly blockedCode: 'M_INVITE_BLOCKED' | 'ORG.MATRIX.MSC4155.M_INVITE_BLOCKED';
}

/** No user id and no server name is longer (server-server spec, "Limits"). */
const patternLengthMax = 255;
/** Patterns of one list: each costs time for every invite. */
const patternsMax = 10_000;

/** Users who have configured nothing. */
export const allInvited: InvitePermissions = {
  actionFor: () => 'allow',
  blockedCode: 'M_INVITE_BLOCKED',
};

const nobodyInvited: InvitePermissions = { ...allInvited, actionFor: () => 'block' };

/** CS 1.18, `m.invite_permission_config`: all or nobody. */
export const invitePermissionsIn = (content: JsonObject): InvitePermissions =>
  content['default_action'] === 'block' ? nobodyInvited : allInvited;

type Matcher = (text: string) => boolean;

function matcherOf(patterns: JsonValue | undefined): Matcher {
  if (!Array.isArray(patterns)) return () => false;
  const exact = new Set<string>();
  const globs: Matcher[] = [];
  for (const pattern of patterns.slice(0, patternsMax)) {
    if (typeof pattern !== 'string' || pattern === '' || pattern.length > patternLengthMax)
      continue;
    if (!/[*?]/.test(pattern)) exact.add(pattern);
    else {
      const glob = compileGlob(pattern);
      globs.push((text) => glob.matches(text));
    }
  }
  return (text) => exact.has(text) || globs.some((matches) => matches(text));
}

const order = [
  ['allowed', 'allow'],
  ['ignored', 'ignore'],
  ['blocked', 'block'],
] as const;

/** MSC4155: lists of users, then lists of servers; the first that has the inviter decides. */
export function inviteFiltersIn(content: JsonObject): InvitePermissions {
  const lists = (['users', 'servers'] as const).map((of) =>
    order.map(([name, action]) => ({ action, matches: matcherOf(content[`${name}_${of}`]) })),
  );
  const [users, servers] = lists as [(typeof lists)[0], (typeof lists)[0]];
  return {
    blockedCode: 'ORG.MATRIX.MSC4155.M_INVITE_BLOCKED',
    actionFor(inviter) {
      const server = serverNameOf(inviter);
      const rule =
        users.find(({ matches }) => matches(inviter)) ??
        servers.find(({ matches }) => matches(server));
      return rule?.action ?? 'allow';
    },
  };
}
