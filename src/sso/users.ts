import { isDuplicate } from '../database/database.ts';
import type { UserRef } from '../accounts/module.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { IdentityProvider, RemoteUser } from './identity-provider.ts';
import type { SsoNeeds } from './needs.ts';
import { SsoError } from './sso-error.ts';

/** How many numbers are tried behind a localpart that is taken. */
const suffixMax = 99;

/** A new user as decided by the provider's attributes, or by the user. */
export interface NewUser {
  localpart: string;
  displayName: string | null;
  emails: readonly string[];
}

/** Users of this server, as identity providers know them. */
export interface SsoUsers {
  /**
   * The user id for somebody at a provider: known, or, if the provider is trusted with that, the one
   * whose localpart it names. Null: nobody yet.
   */
  find(provider: IdentityProvider, user: RemoteUser): Promise<string | null>;
  /** The user id that the provider's user has been here before with; null: none. */
  known(provider: IdentityProvider, externalId: string): Promise<string | null>;
  /** The localpart, with a number behind it when it is taken. Rejects with SsoError. */
  freeLocalpart(localpart: string): Promise<string>;
  /** Rejects with MatrixError as registration does. Two at once for one external id make one. */
  register(provider: IdentityProvider, externalId: string, wish: NewUser): Promise<string>;
  /** Ids of the providers at which a user has been. */
  providersOf(userId: string): Promise<ReadonlySet<string>>;
}

export function createSsoUsers(needs: SsoNeeds): SsoUsers {
  const { config, clock, accounts, log } = needs;

  const known = ({ id }: IdentityProvider, externalId: string): Promise<string | null> =>
    accounts.externalIds.userOf({ authProvider: id, externalId });

  async function addEmails(user: UserRef, emails: readonly string[]): Promise<void> {
    const validatedTs = clock.now();
    await Promise.all(
      emails.map((address) =>
        accounts.threepids
          .add(user.userNid, { medium: 'email', address, validatedTs })
          .catch((error: unknown) => {
            // Another account has it: the user can do without.
            if (!(error instanceof MatrixError)) throw error;
            log.info({ userId: user.userId }, 'a mail address of a new user is taken');
          }),
      ),
    );
  }

  return {
    known,
    async find(provider, user) {
      const found = await known(provider, user.externalId);
      const { localpart } = user.attributes;
      if (found !== null || !provider.adoptsExistingUsers || localpart === null) return found;
      const account = await accounts.directory.byName(localpart);
      // Guests, and users of bridges, are not people of the provider.
      if (!account || account.isGuest || account.appserviceId !== null) return null;
      const id = { authProvider: provider.id, externalId: user.externalId };
      const isAdded = await accounts.externalIds.add(account.userNid, id);
      return isAdded ? account.userId : known(provider, user.externalId);
    },
    async freeLocalpart(localpart) {
      const numbers = Array.from({ length: suffixMax }, (_, i) => String(i + 1));
      const candidates = ['', ...numbers].map((suffix) => `${localpart}${suffix}`);
      const idOf = (candidate: string) => `@${candidate}:${config.serverName}`;
      const taken = await accounts.directory.takenAmong(candidates.map(idOf));
      const free = candidates.find((candidate) => !taken.has(idOf(candidate)));
      if (free === undefined) {
        throw new SsoError('mapping_error', 'No free user name could be made');
      }
      return free;
    },
    async register(provider, externalId, { localpart, displayName, emails }) {
      try {
        const userId = await accounts.registration.checkAvailable(localpart);
        const registered = await accounts.registration.register({
          userId,
          passwordHash: null,
          displayName: displayName ?? undefined,
          externalId: { authProvider: provider.id, externalId },
          device: null,
        });
        await addEmails(registered, emails);
        await accounts.threepidWork.registered(registered, {});
        return userId;
      } catch (error) {
        // The same user in another tab was faster.
        const isTaken = error instanceof MatrixError && error.code === 'M_USER_IN_USE';
        const other = isTaken || isDuplicate(error) ? await known(provider, externalId) : null;
        if (other === null) throw error;
        return other;
      }
    },
    providersOf: (userId) => accounts.externalIds.providersOf(userId),
  };
}
