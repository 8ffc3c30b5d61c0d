/** What decides over the ways to register. */
export interface RegistrationFlowRules {
  /** As far as mail addresses and phone numbers go. */
  threepidFlows: readonly (readonly string[])[];
  requiresToken: boolean;
  requiresCaptcha: boolean;
  requiresTerms: boolean;
}

const tokenStage = 'm.login.registration_token';
const dummyStage = 'm.login.dummy';

/** Lists of stages; a new user goes through any one of them. */
export function registrationFlows(rules: RegistrationFlowRules): string[][] {
  const { threepidFlows, requiresToken, requiresCaptcha, requiresTerms } = rules;
  const isPlain = threepidFlows.every((flow) => flow.every((stage) => stage === dummyStage));
  return threepidFlows.map((flow) => {
    const before = [
      ...(requiresToken && !flow.includes(tokenStage) ? [tokenStage] : []),
      ...(requiresCaptcha ? ['m.login.recaptcha'] : []),
      ...(requiresTerms ? ['m.login.terms'] : []),
    ];
    // Where there is a choice the dummy stage says that this way was chosen.
    const isEnough = before.length > 0 && isPlain;
    return isEnough ? before : [...before, ...flow];
  });
}
