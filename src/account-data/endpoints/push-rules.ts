import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import {
  UnknownPlace,
  UnknownRule,
  withActions,
  withEnabled,
  withoutRule,
  withRule,
} from '../../matrix/push-rules/edit-rules.ts';
import { InvalidRule, parseActions, parseUserRule } from '../../matrix/push-rules/parse-rule.ts';
import {
  isRuleKind,
  type PushRule,
  type RuleDifferences,
  type RuleKind,
} from '../../matrix/push-rules/rule.ts';
import type { AccountDataServices } from '../services.ts';

const declare = endpoint<AccountDataServices>();
const runsOn = { group: 'push_rules', balance: 'user' } as const;
const errors = ['M_NOT_FOUND', 'M_INVALID_PARAM', 'M_MISSING_PARAM'] as const;

const getPushRules = declare({
  operation: 'getPushRules',
  method: 'GET',
  paths: clientPaths('/pushrules'),
  auth: 'user',
  runsOn,
  summary: "All the user's push rules",
  source: 'CS 1.19, getPushRules',
  handle: async ({ requester }, { data }) => ({
    global: await data.ruleset(requester),
  }),
});

const getGlobalPushRules = declare({
  operation: 'getPushRulesGlobal',
  method: 'GET',
  paths: clientPaths('/pushrules/global'),
  auth: 'user',
  runsOn,
  summary: "All the user's push rules",
  source: 'CS 1.19, getPushRulesGlobal',
  handle: ({ requester }, { data }) => data.ruleset(requester),
});

function kindOf(
  { data }: AccountDataServices,
  text: string,
  code: 'M_INVALID_PARAM' | 'M_NOT_FOUND' = 'M_INVALID_PARAM',
): RuleKind {
  if (!isRuleKind(text, data.ruleFeatures)) {
    throw new MatrixError(code, `There are no push rules of the kind ${text}`);
  }
  return text;
}

const getPushRulesOfKind = declare({
  operation: 'getPushRulesOfKind',
  method: 'GET',
  paths: clientPaths('/pushrules/global/:kind'),
  auth: 'user',
  runsOn,
  summary: "The user's push rules of one kind",
  deprecated: true,
  async handle({ params, requester }, services) {
    const kind = kindOf(services, params['kind']!, 'M_NOT_FOUND');
    return (await services.data.ruleset(requester))[kind];
  },
});

async function ruleOf(
  services: AccountDataServices,
  requester: { userNid: number; userId: string },
  kindText: string,
  ruleId: string,
): Promise<PushRule> {
  const kind = kindOf(services, kindText, 'M_NOT_FOUND');
  const rule = (await services.data.ruleset(requester))[kind]?.find(
    (known) => known.rule_id === ruleId,
  );
  if (!rule) throw new MatrixError('M_NOT_FOUND', `There is no ${kind} rule ${ruleId}`);
  return rule;
}

/** Changes the user's rules, and turns what is wrong with the change into an answer. */
async function edit(
  { data }: AccountDataServices,
  userNid: number,
  change: (before: RuleDifferences) => RuleDifferences,
) {
  try {
    await data.changePushRules(userNid, change);
    return {};
  } catch (error) {
    if (error instanceof UnknownRule) throw new MatrixError('M_NOT_FOUND', error.message);
    if (error instanceof UnknownPlace) {
      throw new MatrixError('M_UNKNOWN', error.message, { status: 400 });
    }
    if (error instanceof InvalidRule) throw new MatrixError('M_INVALID_PARAM', error.message);
    throw error;
  }
}

const rulePaths = clientPaths('/pushrules/global/:kind/:ruleId');

const getPushRule = declare({
  operation: 'getPushRule',
  method: 'GET',
  paths: rulePaths,
  auth: 'user',
  runsOn,
  summary: 'One push rule',
  source: 'CS 1.19, getPushRule',
  errors,
  handle: ({ params, requester }, services) =>
    ruleOf(services, requester, params['kind']!, params['ruleId']!),
});

const setPushRule = declare({
  operation: 'setPushRule',
  method: 'PUT',
  paths: rulePaths,
  auth: 'user',
  runsOn,
  summary: 'Adds or replaces a push rule',
  source: 'CS 1.19, setPushRule',
  query: Type.Object({
    before: Type.Optional(Type.String()),
    after: Type.Optional(Type.String()),
  }),
  body: Type.Record(Type.String(), Type.Any()),
  errors: [...errors, 'M_UNKNOWN'],
  handle({ params, query, body, requester }, services) {
    const kind = kindOf(services, params['kind']!);
    const place = {
      ...(query.before === undefined ? {} : { before: query.before }),
      ...(query.after === undefined ? {} : { after: query.after }),
    };
    return edit(services, requester.userNid, (before) =>
      withRule(before, kind, parseUserRule(kind, params['ruleId']!, body), place),
    );
  },
});

const deletePushRule = declare({
  operation: 'deletePushRule',
  method: 'DELETE',
  paths: rulePaths,
  auth: 'user',
  runsOn,
  summary: 'Removes a push rule',
  source: 'CS 1.19, deletePushRule',
  bodyMode: 'none',
  errors,
  handle: ({ params, requester }, services) =>
    edit(services, requester.userNid, (before) =>
      withoutRule(before, kindOf(services, params['kind']!), params['ruleId']!),
    ),
});

const enabledPaths = clientPaths('/pushrules/global/:kind/:ruleId/enabled');
const actionsPaths = clientPaths('/pushrules/global/:kind/:ruleId/actions');

const isPushRuleEnabled = declare({
  operation: 'isPushRuleEnabled',
  method: 'GET',
  paths: enabledPaths,
  auth: 'user',
  runsOn,
  summary: 'Whether a push rule is on',
  source: 'CS 1.19, isPushRuleEnabled',
  errors,
  handle: async ({ params, requester }, services) => ({
    enabled: (await ruleOf(services, requester, params['kind']!, params['ruleId']!)).enabled,
  }),
});

const setPushRuleEnabled = declare({
  operation: 'setPushRuleEnabled',
  method: 'PUT',
  paths: enabledPaths,
  auth: 'user',
  runsOn,
  summary: 'Switches a push rule on or off',
  source: 'CS 1.19, setPushRuleEnabled',
  body: Type.Object({ enabled: Type.Boolean() }),
  errors,
  handle: ({ params, body, requester }, services) =>
    edit(services, requester.userNid, (before) =>
      withEnabled(before, kindOf(services, params['kind']!), params['ruleId']!, body.enabled),
    ),
});

const getPushRuleActions = declare({
  operation: 'getPushRuleActions',
  method: 'GET',
  paths: actionsPaths,
  auth: 'user',
  runsOn,
  summary: 'What a push rule does',
  source: 'CS 1.19, getPushRuleActions',
  errors,
  handle: async ({ params, requester }, services) => ({
    actions: (await ruleOf(services, requester, params['kind']!, params['ruleId']!)).actions,
  }),
});

const setPushRuleActions = declare({
  operation: 'setPushRuleActions',
  method: 'PUT',
  paths: actionsPaths,
  auth: 'user',
  runsOn,
  summary: 'Changes what a push rule does',
  source: 'CS 1.19, setPushRuleActions',
  body: Type.Object({ actions: Type.Array(Type.Any()) }),
  errors,
  handle: ({ params, body, requester }, services) =>
    edit(services, requester.userNid, (before) =>
      withActions(
        before,
        kindOf(services, params['kind']!),
        params['ruleId']!,
        parseActions(body.actions),
      ),
    ),
});

export const pushRuleEndpoints = [
  getPushRules,
  getGlobalPushRules,
  getPushRulesOfKind,
  getPushRule,
  setPushRule,
  deletePushRule,
  isPushRuleEnabled,
  setPushRuleEnabled,
  getPushRuleActions,
  setPushRuleActions,
];
