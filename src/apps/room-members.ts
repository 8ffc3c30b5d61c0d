import type { AccountSubscriber } from '../accounts/module.ts';
import type { Roles } from '../cluster/role.ts';
import type { Log } from '../kernel/log.ts';
import {
  contentOf,
  eventStream,
  eventWriterRole,
  membership,
  updateMemberProfiles,
  type EventRow,
  type RoomServices,
} from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';

const actor = { deviceNid: null, isAdmin: false, appservice: null };

/** Keeps the member events of an account's rooms as the account is. */
export function membersOfAccounts(rooms: RoomServices, log: Log): AccountSubscriber {
  return {
    async profileChanged(user, changes, { propagate }) {
      const isShown = changes.some(
        ({ field }) => field === 'displayname' || field === 'avatar_url',
      );
      if (propagate && isShown) await updateMemberProfiles(rooms, user);
    },
    async deactivated(user) {
      const found = await Promise.all(
        ['join', 'invite', 'knock'].map((one) => rooms.members.roomsOf(user.userNid, one)),
      );
      const leave = (roomId: string) =>
        membership
          .leave(rooms, { ...actor, ...user, isGuest: false }, roomId, undefined)
          .catch((error: unknown) => {
            log.warn({ err: error, roomId }, 'a deactivated user could not leave a room');
          });
      await Promise.all(found.flat().map(leave));
    },
  };
}

const guestAccess = 'm.room.guest_access';

interface GuestNeeds {
  bus: Bus;
  roles: Roles;
  log: Log;
}

/**
 * Makes guests leave rooms that are closed to them. `guestsAmong`: those of the users who are guests.
 * Source: client-server spec, "Guest access".
 */
export function followGuestAccess(
  { bus, roles, log }: GuestNeeds,
  rooms: RoomServices,
  guestsAmong: (userNids: readonly number[]) => Promise<ReadonlySet<number>>,
): void {
  async function removeGuests({ roomId, event: { roomNid } }: EventRow): Promise<void> {
    const [access] = await rooms.states.entries(roomNid, [[guestAccess, '']]);
    if (access && contentOf(access)['guest_access'] === 'can_join') return;
    const [joined, invited] = await Promise.all([
      rooms.members.localMembers(roomNid),
      rooms.members.members(roomNid, 'invite'),
    ]);
    const present = [...joined, ...invited];
    const guests = await guestsAmong(present.map(({ userNid }) => userNid));
    const leaving = present.filter(({ userNid }) => guests.has(userNid));
    await Promise.all(
      leaving.map((user) =>
        membership.leave(rooms, { ...actor, ...user, isGuest: true }, roomId, undefined),
      ),
    );
  }

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      const { type, stateKey } = row.redacted ?? row.event;
      if (type !== guestAccess || stateKey !== '') continue;
      if (!roles.holds(eventWriterRole, row.roomId)) continue;
      removeGuests(row).catch((error: unknown) => {
        log.warn({ err: error, roomId: row.roomId }, 'guests could not be made to leave');
      });
    }
  });
}
