import type { Requester } from '../http/endpoint.ts';
import { MatrixError } from '../kernel/errors.ts';
import { canonicalAddress } from './directory.ts';
import type { ExternalId } from './registration.ts';
import { hashPassword } from './password-hash.ts';
import type { AccountServices } from './services.ts';
import type { AccountRow } from './store/accounts.ts';
import type { UserRef } from './subscribers.ts';
import { localpartOf } from './user-ids.ts';
import { userIdFor } from './usernames.ts';

interface Threepid {
  medium: string;
  address: string;
}

/** What an admin wants a user to be; what is undefined stays as it is. */
export interface UserWish {
  password?: string | undefined;
  logoutDevices: boolean;
  displayName?: string | null | undefined;
  avatarUrl?: string | null | undefined;
  threepids?: readonly Threepid[] | undefined;
  externalIds?: readonly ExternalId[] | undefined;
  isAdmin?: boolean | undefined;
  isDeactivated?: boolean | undefined;
  isLocked?: boolean | undefined;
  userType?: string | null | undefined;
}

const builtInTypes = ['bot', 'support'];

/** Throws M_UNKNOWN for a type that is not configured. */
export function checkUserType({ config }: AccountServices, type: string | null | undefined): void {
  const types = [...builtInTypes, ...config.registration.extraUserTypes];
  if (type === null || type === undefined || types.includes(type)) return;
  throw new MatrixError('M_UNKNOWN', 'Invalid user type');
}

/** Throws M_FORBIDDEN where users have no passwords here. */
export function checkHasPasswords({ config }: AccountServices): void {
  if (config.password.usesDatabase) return;
  throw new MatrixError('M_FORBIDDEN', 'Password change disabled');
}

/** What addresses and numbers look like in their canonical form. */
const shapes: Readonly<Record<string, RegExp>> = {
  email: /^[^\s@]+@[^\s@]+$/,
  msisdn: /^\d{1,20}$/,
};

/** Throws M_INVALID_PARAM. */
function canonical({ medium, address }: Threepid): Threepid {
  const shape = Object.hasOwn(shapes, medium) ? shapes[medium] : undefined;
  if (!shape) throw new MatrixError('M_INVALID_PARAM', `Unknown medium ${medium}`);
  const plain = canonicalAddress(medium, address);
  if (shape.test(plain)) return { medium, address: plain };
  throw new MatrixError('M_INVALID_PARAM', `Not of medium ${medium}: ${address}`);
}

const sameAs =
  ({ medium, address }: Threepid) =>
  (other: Threepid) =>
    medium === other.medium && address === other.address;

/** Everything that may be refused, before anything is changed. `account` null: a new one. */
async function check(
  services: AccountServices,
  requester: Requester,
  account: AccountRow | null,
  wish: UserWish,
): Promise<void> {
  const { config, directory, externalIds } = services;
  checkUserType(services, wish.userType);
  if (wish.password !== undefined && !config.password.usesDatabase) checkHasPasswords(services);
  if (wish.isDeactivated && wish.isLocked) {
    throw new MatrixError('M_UNKNOWN', "An user can't be deactivated and locked");
  }
  if (account?.userId === requester.userId && account.isAdmin && wish.isAdmin === false) {
    throw new MatrixError('M_UNKNOWN', 'You may not demote yourself.');
  }
  const owners = await Promise.all(
    (wish.threepids ?? []).map(({ medium, address }) => directory.byThreepid(medium, address)),
  );
  if (owners.some((owner) => owner && owner.userNid !== account?.userNid)) {
    throw new MatrixError('M_THREEPID_IN_USE', 'Another account has one of the addresses');
  }
  if (wish.externalIds) await externalIds.checkFree(account?.userNid ?? 0, wish.externalIds);
}

/** The user has these addresses and numbers, and no others. */
async function setThreepids(
  { threepids, threepidWork, clock }: AccountServices,
  user: UserRef,
  wanted: readonly Threepid[],
): Promise<void> {
  const known = await threepids.of(user.userNid);
  const gone = known.filter((one) => !wanted.some(sameAs(one)));
  const added = wanted.filter((one) => !known.some(sameAs(one)));
  await Promise.all(gone.map((one) => threepidWork.unbind(user, one)));
  await Promise.all(
    gone.map(({ medium, address }) => threepids.remove(user.userNid, medium, address)),
  );
  const validatedTs = clock.now();
  await Promise.all(added.map((one) => threepids.add(user.userNid, { ...one, validatedTs })));
}

async function setPassword(services: AccountServices, user: UserRef, wish: UserWish) {
  if (wish.password === undefined) return;
  const hash = await hashPassword(wish.password, services.config.password.pepper);
  await services.moderation.setPasswordHash(user, hash);
  if (wish.logoutDevices) {
    await services.devices.deleteOthers(user, { deviceId: null, tokenNid: null });
  }
}

async function setStanding(services: AccountServices, account: AccountRow, wish: UserWish) {
  const { moderation, threepidWork } = services;
  if (wish.isDeactivated === true && !account.isDeactivated) {
    // A server that cannot be told is no reason to keep an account.
    await threepidWork.unbindAll(account, null).catch(() => false);
    await moderation.deactivate(account, { erase: false });
  }
  if (wish.isDeactivated === false && account.isDeactivated) {
    const { passwordHash } = (await services.directory.byUserId(account.userId))!;
    await moderation.reactivate(account, passwordHash);
  }
  if (wish.isLocked !== undefined && wish.isLocked !== account.isLocked) {
    await moderation.setLocked(account, wish.isLocked);
  }
}

async function change(services: AccountServices, account: AccountRow, wish: UserWish) {
  const { moderation, profiles, externalIds } = services;
  const propagate = { propagate: true };
  if (wish.displayName !== undefined) {
    await profiles.setField(account, 'displayname', wish.displayName, propagate);
  }
  if (wish.threepids) await setThreepids(services, account, wish.threepids);
  if (wish.externalIds) await externalIds.replace(account.userNid, wish.externalIds);
  if (wish.avatarUrl !== undefined) {
    await profiles.setField(account, 'avatar_url', wish.avatarUrl, propagate);
  }
  if (wish.isAdmin !== undefined && wish.isAdmin !== account.isAdmin) {
    await moderation.setAdmin(account, wish.isAdmin);
  }
  await setPassword(services, account, wish);
  await setStanding(services, account, wish);
  if (wish.userType !== undefined) await moderation.setUserType(account, wish.userType);
}

async function create(
  services: AccountServices,
  userId: string,
  wish: UserWish,
): Promise<AccountRow> {
  const { config, appservices, registration, directory } = services;
  const { password } = wish;
  await registration.register({
    userId: userIdFor(localpartOf(userId), config, appservices),
    passwordHash:
      password === undefined ? null : await hashPassword(password, config.password.pepper),
    isAdmin: wish.isAdmin ?? false,
    userType: wish.userType ?? null,
    displayName: wish.displayName ?? undefined,
    device: null,
  });
  return (await directory.byUserId(userId))!;
}

/**
 * Makes a user of this server, or changes one. Gives the account as it is then. Throws
 * M_INVALID_PARAM, M_INVALID_USERNAME, M_EXCLUSIVE, M_THREEPID_IN_USE, M_FORBIDDEN, M_UNKNOWN.
 */
export async function putUser(
  services: AccountServices,
  requester: Requester,
  userId: string,
  given: UserWish,
): Promise<{ account: AccountRow; isNew: boolean }> {
  const { directory, threepidWork } = services;
  const wish = { ...given, threepids: given.threepids?.map(canonical) };
  const known = await directory.byUserId(userId);
  await check(services, requester, known, wish);
  if (known) {
    await change(services, known, wish);
  } else {
    const made = await create(services, userId, wish);
    // The rest is part of its making.
    const { threepids, externalIds, avatarUrl, isLocked, isDeactivated, logoutDevices } = wish;
    const rest = { threepids, externalIds, avatarUrl, isLocked, isDeactivated, logoutDevices };
    await change(services, made, rest);
    if (wish.threepids) await threepidWork.registered(made, {});
  }
  return { account: (await directory.byUserId(userId))!, isNew: !known };
}
