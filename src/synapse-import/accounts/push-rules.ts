import type { RuleDifferences, RuleKind, UserRule } from '../../matrix/push-rules/rule.ts';
import { ruleKinds } from '../../matrix/push-rules/rule.ts';
import type { SourceRow, SynapseSource } from '../source/source.ts';

/** A user's rules as Synapse has them, in its two tables. */
export interface SynapseRules {
  /** `push_rules`, those of the highest priority first. */
  rules: readonly SourceRow[];
  /** `push_rules_enable` */
  switches: readonly SourceRow[];
}

/** `global/override/id`; ids may have slashes. Null: it is no such. */
function namesIn(ruleId: string): { kind: RuleKind; id: string } | null {
  const [, kind, id] = /^global\/([a-z]+)\/(.+)$/s.exec(ruleId) ?? [];
  return ruleKinds.includes(kind as RuleKind) ? { kind: kind as RuleKind, id: id! } : null;
}

const isDefault = (id: string) => id.startsWith('.');

function userRule(kind: RuleKind, id: string, row: SourceRow): UserRule {
  const rule: UserRule = { rule_id: id, actions: JSON.parse(row['actions'] as string) };
  const conditions = JSON.parse(row['conditions'] as string) as NonNullable<UserRule['conditions']>;
  if (kind === 'content') {
    const pattern = conditions.find(({ key }) => key === 'content.body')?.['pattern'];
    rule.pattern = typeof pattern === 'string' ? pattern : '';
  } else if (kind === 'override' || kind === 'underride') rule.conditions = conditions;
  return rule;
}

/** What differs from the default rules. */
export function differencesOf({ rules, switches }: SynapseRules): RuleDifferences {
  const own: NonNullable<RuleDifferences['own']> = {};
  const defaults: NonNullable<RuleDifferences['defaults']> = {};
  for (const row of rules) {
    const names = namesIn(row['rule_id'] as string);
    if (!names) continue;
    const { kind, id } = names;
    if (isDefault(id)) defaults[id] = { actions: JSON.parse(row['actions'] as string) };
    else (own[kind] ??= []).push(userRule(kind, id, row));
  }
  for (const row of switches) {
    const names = namesIn(row['rule_id'] as string);
    if (!names) continue;
    const { kind, id } = names;
    const enabled = Boolean(row['enabled']);
    if (isDefault(id)) defaults[id] = { ...defaults[id], enabled };
    else {
      const rule = own[kind]?.find(({ rule_id: one }) => one === id);
      if (rule && !enabled) rule.enabled = false;
    }
  }
  return {
    ...(Object.keys(own).length > 0 ? { own } : {}),
    ...(Object.keys(defaults).length > 0 ? { defaults } : {}),
  };
}

/** Users whose rules are read at once. */
const usersAtOnce = 200;

/** The rules of users who have changed any, some users at a time. */
export async function* rulesOfUsers(
  source: SynapseSource,
): AsyncGenerator<Map<string, RuleDifferences>> {
  let after = '';
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- page by page
    const users = await source.rows(
      `select user_name from (select user_name from push_rules
         union select user_name from push_rules_enable) as names
       where user_name > $1 order by user_name limit ${usersAtOnce}`,
      [after],
    );
    if (users.length === 0) return;
    const range = [users[0]!['user_name']!, users.at(-1)!['user_name']!];
    const between = 'user_name >= $1 and user_name <= $2';
    // oxlint-disable-next-line no-await-in-loop
    const rules = await source.rows(
      `select user_name, rule_id, conditions, actions from push_rules where ${between}
       order by user_name, priority_class desc, priority desc`,
      range,
    );
    // oxlint-disable-next-line no-await-in-loop
    const switches = await source.rows(
      `select user_name, rule_id, enabled from push_rules_enable where ${between}`,
      range,
    );
    const rulesOf = Map.groupBy(rules, (row) => row['user_name'] as string);
    const switchesOf = Map.groupBy(switches, (row) => row['user_name'] as string);
    yield new Map(
      users.map(({ user_name: name }) => {
        const userId = name as string;
        const given = { rules: rulesOf.get(userId) ?? [], switches: switchesOf.get(userId) ?? [] };
        return [userId, differencesOf(given)];
      }),
    );
    if (users.length < usersAtOnce) return;
    after = range[1] as string;
  }
}
