import { canonicalAddress } from '../accounts/module.ts';
import type { SendJson } from '../http/json-client.ts';
import type { RateLimiter } from '../http/rate-limiter.ts';
import { MatrixError } from '../kernel/errors.ts';
import { isUserId } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { parsePowerLevels } from '../matrix/power-levels.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import {
  contentOf,
  membership,
  type Actor,
  type RoomServices,
  type ThreepidInvite,
} from '../rooms/module.ts';
import { createIdentityLookups } from './identity-lookups.ts';

export interface RoomInvitesNeeds {
  rooms: RoomServices;
  limiter: RateLimiter;
  /** To servers that clients name: never to addresses inside. */
  sendOutside: SendJson;
  /** [enable_3pid_lookup] */
  looksUp: boolean;
  /** [email.invite_client_location] */
  clientLocation: string | null;
}

/** Invites of people by mail address or phone number. */
export interface RoomInvites {
  invite(actor: Actor, roomId: string, wish: ThreepidInvite): Promise<void>;
}

/** What an identity server writes into its mail about a room. */
function describe(state: Map<string, JsonObject>): JsonObject {
  const text = (type: string, key: string) => {
    const value = state.get(type)?.[key];
    return typeof value === 'string' ? value : '';
  };
  const roomType = text('m.room.create', 'type');
  return {
    room_name: text('m.room.name', 'name'),
    room_alias: text('m.room.canonical_alias', 'alias'),
    room_avatar_url: text('m.room.avatar', 'url'),
    room_join_rules: text('m.room.join_rules', 'join_rule'),
    ...(roomType === '' ? {} : { room_type: roomType }),
  };
}

const describing = [
  'm.room.create',
  'm.room.power_levels',
  'm.room.name',
  'm.room.canonical_alias',
  'm.room.avatar',
  'm.room.join_rules',
] as const;

export function createRoomInvites(needs: RoomInvitesNeeds): RoomInvites {
  const { rooms, limiter, sendOutside, looksUp, clientLocation } = needs;
  const identity = createIdentityLookups(sendOutside);

  async function store(actor: Actor, roomId: string, wish: ThreepidInvite, address: string) {
    const access = await rooms.access.joined(roomId, actor);
    const keys = describing.map((type) => [type, ''] as const);
    const entries = await rooms.states.entries(access.roomNid, keys, null);
    const state = new Map(entries.map((event) => [event.type, contentOf(event)]));
    const create = entries.find(({ type }) => type === 'm.room.create')!;
    const powerLevels = state.get('m.room.power_levels');
    const levels = parsePowerLevels(
      roomVersion(access.roomVersion),
      powerLevels && { content: powerLevels },
      { sender: create.sender, content: contentOf(create) },
    );
    // Before a mail is sent, which nobody can take back.
    if (levels.userLevel(actor.userId) < levels.required('invite')) {
      throw new MatrixError('M_FORBIDDEN', 'You do not have permission to invite users');
    }
    const profile = await rooms.profiles.of(actor.userId);
    const stored = await identity.storeInvite(wish, {
      medium: wish.medium,
      address,
      room_id: roomId,
      ...describe(state),
      sender: actor.userId,
      sender_display_name: profile.displayname ?? '',
      sender_avatar_url: profile.avatar_url ?? '',
      ...(clientLocation === null ? {} : { 'org.matrix.web_client_location': clientLocation }),
    });
    const [first] = stored.publicKeys;
    const event = {
      sender: actor.userId,
      type: 'm.room.third_party_invite',
      stateKey: stored.token,
      content: {
        display_name: stored.displayName,
        public_keys: stored.publicKeys.map(({ public_key, key_validity_url }) => ({
          public_key,
          ...(key_validity_url ? { key_validity_url } : {}),
        })),
        // The form before there could be several.
        key_validity_url: first!.key_validity_url,
        public_key: first!.public_key,
      },
    };
    await rooms.writer.append({ roomId, events: [event] });
  }

  return {
    async invite(actor, roomId, wish) {
      await rooms.access.joined(roomId, actor);
      limiter.take('third_party_invite', actor.userId);
      if (!looksUp) {
        throw new MatrixError(
          'M_FORBIDDEN',
          'Looking up third-party identifiers is denied from this server',
        );
      }
      const address = canonicalAddress(wish.medium, wish.address);
      const target = await identity.lookUp(wish, wish.medium, address);
      if (target === null || !isUserId(target)) return store(actor, roomId, wish, address);
      return membership.invite(rooms, actor, roomId, target, { reason: wish.reason });
    },
  };
}
