import { MatrixError } from '../kernel/errors.ts';
import type { AccountsConfig } from './config.ts';
import { parseIdentifier, type Credentials } from './credentials.ts';
import type { AccountDirectory } from './directory.ts';
import type { RegistrationTokens } from './registration-tokens.ts';
import { StageFailed, type UiAuth, type UiAuthStage } from './ui-auth.ts';

/** Flows of requests by a user who is logged in: the ways in which that user can prove itself. */
export type ReauthFlows = (userId: string) => Promise<string[][]>;

/** Asks for the password of the user whose request it is. The result is the user id. */
function passwordStage(credentials: Credentials): UiAuthStage {
  return {
    async check(auth, { requester }) {
      if (typeof auth['password'] !== 'string') {
        throw new StageFailed('M_MISSING_PARAM', 'Missing password');
      }
      const identifier = asStageFailure(() => parseIdentifier(auth));
      const account = await credentials
        .checkPassword(identifier, auth['password'])
        .catch((error: unknown) => {
          if (!(error instanceof MatrixError) || error.code !== 'M_FORBIDDEN') throw error;
          throw new StageFailed('M_FORBIDDEN', 'Invalid username or password');
        });
      if (requester && account.userId !== requester.userId) {
        throw new MatrixError('M_FORBIDDEN', 'Invalid auth');
      }
      return account.userId;
    },
  };
}

function asStageFailure<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof MatrixError) throw new StageFailed(error.code, error.message);
    throw error;
  }
}

/** Anybody passes. For flows with nothing to prove. */
const dummyStage: UiAuthStage = { check: async () => true };

/** A token given out by the admins. It is held for the session until the session ends. */
function registrationTokenStage(tokens: RegistrationTokens): UiAuthStage {
  return {
    async check(auth, { session, store }) {
      const token = auth['token'];
      if (typeof token !== 'string') {
        throw new StageFailed('M_MISSING_PARAM', 'Missing registration token');
      }
      if (session.registrationToken === token) return true;
      if (session.registrationToken !== null) {
        throw new StageFailed('M_UNAUTHORIZED', 'Registration token has changed');
      }
      // The hold on the token ends with the session: that must be there first.
      await store();
      const held = await tokens.hold(token, session.id);
      if (held === null) throw new StageFailed('M_UNAUTHORIZED', 'Invalid registration token');
      if (held !== token) {
        throw new StageFailed('M_UNAUTHORIZED', 'Registration token has changed');
      }
      session.registrationToken = token;
      return true;
    },
  };
}

export function addBuiltInStages(
  uiAuth: UiAuth,
  needs: { tokens: RegistrationTokens; credentials: Credentials },
): void {
  uiAuth.addStage('m.login.password', passwordStage(needs.credentials));
  uiAuth.addStage('m.login.dummy', dummyStage);
  uiAuth.addStage('m.login.registration_token', registrationTokenStage(needs.tokens));
}

/** A password, when the user has one; other domains may add ways, such as single sign-on. */
export function createReauthFlows(
  config: AccountsConfig,
  directory: AccountDirectory,
  further: readonly ReauthFlows[],
): ReauthFlows {
  return async (userId) => {
    const flows: string[][] = [];
    if (config.password.isEnabled !== false && config.password.usesDatabase) {
      const account = await directory.byUserId(userId);
      if (account?.passwordHash) flows.push(['m.login.password']);
    }
    for (const more of further) flows.push(...(await more(userId)));
    return flows;
  };
}
