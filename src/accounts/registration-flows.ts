/** What decides over the ways to register. */
export interface RegistrationFlowRules {
  /** As far as mail addresses and phone numbers go. */
  threepidFlows: readonly (readonly string[])[];
  requiresToken: boolean;
}

const tokenStage = 'm.login.registration_token';
const dummyStage = 'm.login.dummy';

/** Lists of stages; a new user goes through any one of them. */
export function registrationFlows(rules: RegistrationFlowRules): string[][] {
  return rules.threepidFlows.map((flow) => {
    if (!rules.requiresToken || flow.includes(tokenStage)) return [...flow];
    // With a token there is something to prove already.
    return [tokenStage, ...flow.filter((stage) => stage !== dummyStage)];
  });
}
