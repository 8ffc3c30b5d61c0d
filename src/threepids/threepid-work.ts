import type {
  AccountServices,
  ProvenThreepid,
  ThreepidWork,
  UiAuthStage,
} from '../accounts/module.ts';
import { StageFailed } from '../accounts/module.ts';
import { MatrixError } from '../kernel/errors.ts';
import { isAllowed } from './rules.ts';
import type { ThreepidServices } from './services.ts';
import type { Validated } from './validation.ts';

const emailStage = 'm.login.email.identity';
const msisdnStage = 'm.login.msisdn';
const stages = [emailStage, msisdnStage] as const;
type Completed = Readonly<Record<string, unknown>>;

const provenIn = (completed: Completed): Validated[] =>
  stages.flatMap((stage) => (completed[stage] as Validated | undefined) ?? []);

/** A stage that a validated session passes. Its result is what was validated. */
export function threepidStage(
  medium: 'email' | 'msisdn',
  proven: ThreepidServices['proven'],
): UiAuthStage {
  return {
    async check(auth) {
      // Clients of old write it without the underscore.
      const creds = (auth['threepid_creds'] ?? auth['threepidCreds']) as
        | Record<string, unknown>
        | undefined;
      const { sid, client_secret: clientSecret } = creds ?? {};
      if (typeof sid !== 'string' || typeof clientSecret !== 'string') {
        throw new StageFailed('M_MISSING_PARAM', 'Missing param threepid_creds');
      }
      const validated = await proven(sid, clientSecret);
      if (validated?.medium !== medium) {
        throw new StageFailed('M_UNAUTHORIZED', 'Unable to get validated threepid');
      }
      return validated;
    },
  };
}

/** Ways to register, as Synapse offers them. */
function registrationFlows({ config, email, msisdn }: ThreepidServices): string[][] {
  const needs = (medium: string) => config.required.includes(medium);
  const flows: string[][] = [];
  const showsPhone = msisdn !== null && config.registersByPhone;
  const needsPhone = needs('msisdn') && config.registersByPhone;
  if (!needs('email') && !needsPhone) flows.push(['m.login.dummy']);
  if (email.isEnabled && !needsPhone) flows.push([emailStage]);
  if (showsPhone && !needs('email')) flows.push([msisdnStage]);
  if (email.isEnabled && showsPhone) flows.push([msisdnStage, emailStage]);
  if (config.tokenReplacesThreepid) flows.push(['m.login.registration_token']);
  return flows;
}

/** What accounts leave to this domain. `services` comes later: each builds on the other. */
export function createThreepidWork(services: () => ThreepidServices): ThreepidWork {
  return {
    registrationFlows: () => registrationFlows(services()),
    passwordResetFlows() {
      const { email, msisdn } = services();
      return [...(email.isEnabled ? [[emailStage]] : []), ...(msisdn ? [[msisdnStage]] : [])];
    },
    provenBy: (completed) => provenIn(completed)[0] ?? null,
    async checkRegistration(completed) {
      const { config, accounts } = services();
      for (const { medium, address } of provenIn(completed)) {
        if (!isAllowed(config, medium, address)) {
          throw new MatrixError('M_THREEPID_DENIED', `${address} is not allowed on this server`);
        }
        // oxlint-disable-next-line no-await-in-loop -- at most two
        if (await accounts.directory.byThreepid(medium, address)) {
          throw new MatrixError('M_THREEPID_IN_USE', `${address} belongs to an account already`);
        }
      }
    },
    async registered(user, completed) {
      const { accounts } = services();
      await addAll(accounts.threepids, user.userNid, provenIn(completed));
      await this.used(completed);
    },
    async used(completed) {
      const { validation } = services();
      await Promise.all(provenIn(completed).map(({ sid }) => validation.remove(sid)));
    },
    unbind: (user, threepid) => services().identityServers.unbind(user, threepid, null),
    unbindAll: (user, idServer) => services().identityServers.unbindAll(user, idServer),
  };
}

async function addAll(
  threepids: AccountServices['threepids'],
  userNid: number,
  proven: readonly ProvenThreepid[],
): Promise<void> {
  await Promise.all(proven.map((one) => threepids.add(userNid, one)));
}
