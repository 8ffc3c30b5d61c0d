import type { UiAuthStage } from '../accounts/module.ts';

/** Terms that are accepted to register. */
export interface Terms {
  version: string;
  /** [user_consent.policy_name] */
  name: string;
  url: string;
  accept(userNid: number): Promise<void>;
}

/** The user accepts the terms (CS 1.19, "Terms of service at registration"). */
export function termsStage({ version, name, url, accept }: Terms): UiAuthStage {
  const policies = { privacy_policy: { version, en: { name, url } } };
  return {
    params: () => ({ policies }),
    check: async () => true,
    registered: ({ userNid }) => accept(userNid),
  };
}
