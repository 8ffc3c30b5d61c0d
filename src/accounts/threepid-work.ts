import type { ProvenThreepid } from './account-threepids.ts';
import type { UserRef } from './subscribers.ts';

/** Results of authentication stages, by stage. */
type Completed = Readonly<Record<string, unknown>>;

/** What accounts ask of those who look after proofs of addresses and numbers. */
export interface ThreepidWork {
  /** Ways to register, each a list of stages; any one of them is enough. */
  registrationFlows(): string[][];
  /** Ways for somebody who has forgotten the password to prove who it is. */
  passwordResetFlows(): string[][];
  /** What stages have proven; null: nothing. */
  provenBy(completed: Completed): ProvenThreepid | null;
  /** Rejects when an account must not be made with what was proven. */
  checkRegistration(completed: Completed): Promise<void>;
  /** The account was made: it gets what was proven. */
  registered(user: UserRef, completed: Completed): Promise<void>;
  /** What was proven has served its purpose. */
  used(completed: Completed): Promise<void>;
  /** Tells identity servers to forget whose an address is. Rejects when one cannot be told. */
  unbind(user: UserRef, threepid: { medium: string; address: string }): Promise<unknown>;
  /** Tells identity servers to forget the user. False: one of them does not do that. */
  unbindAll(user: UserRef, idServer: string | null): Promise<boolean>;
}

/** For a server on which nobody proves anything. */
export const withoutThreepids: ThreepidWork = {
  registrationFlows: () => [['m.login.dummy']],
  passwordResetFlows: () => [],
  provenBy: () => null,
  checkRegistration: async () => undefined,
  registered: async () => undefined,
  used: async () => undefined,
  unbind: async () => true,
  unbindAll: async () => true,
};
