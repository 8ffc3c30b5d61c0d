import type { AccountServices } from '../accounts/module.ts';
import type { Database } from '../database/database.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { createRoom, membership, type Actor, type RoomServices } from '../rooms/module.ts';
import type { ServerNoticesConfig } from './config.ts';
import { insertNoticeRoom, selectIsNoticeRoom, selectNoticeRoom } from './store/notice-rooms.ts';

export interface Notice {
  type: string;
  /** Present for state. */
  stateKey?: string | undefined;
  content: JsonObject;
}

/** A request that may be repeated: by whom, and its transaction id. */
export interface NoticeTransaction {
  requesterNid: number;
  txnId: string;
}

/** Sends notices of the server to its users. */
export interface NoticeSender {
  /** Gives the event's id. Throws M_NOT_FOUND, M_INVALID_PARAM. */
  send(userId: string, notice: Notice, transaction?: NoticeTransaction): Promise<string>;
  isNoticeRoom(roomId: string): Promise<boolean>;
}

export interface NoticeSenderNeeds {
  config: ServerNoticesConfig;
  database: Database;
  accounts: AccountServices;
  rooms: RoomServices;
  /** Marks the room as the one of notices, for the user's clients. */
  tag(userNid: number, roomNid: number): Promise<void>;
}

interface Room {
  roomNid: number;
  roomId: string;
}

const actorOf = (user: { userId: string; userNid: number }): Actor => ({
  userId: user.userId,
  userNid: user.userNid,
  deviceNid: null,
  isGuest: false,
  isAdmin: true,
  appservice: null,
});

export function createNoticeSender(needs: NoticeSenderNeeds): NoticeSender {
  const { config, database, accounts, rooms, tag } = needs;
  const systemId = `@${config.localpart}:${accounts.config.serverName}`;
  let system: Promise<Actor> | null = null;

  /** The user notices are from, made when there is none, with the configured profile. */
  async function makeSystemUser(): Promise<Actor> {
    const wish = { userId: systemId, passwordHash: null, displayName: null, device: null };
    const user =
      (await accounts.directory.byUserId(systemId)) ??
      (await accounts.registration.register(wish).catch(async (error: unknown) => {
        // Another process may have been faster.
        const made = await accounts.directory.byUserId(systemId);
        if (!made) throw error;
        return made;
      }));
    const profile = { displayname: config.displayName, avatar_url: config.avatarUrl };
    await Promise.all(
      Object.entries(profile).map(([field, value]) =>
        accounts.profiles.setField(user, field, value ?? undefined, { propagate: false }),
      ),
    );
    return actorOf(user);
  }

  function systemUser(): Promise<Actor> {
    system ??= makeSystemUser().catch((error: unknown) => {
      system = null;
      throw error;
    });
    return system;
  }

  async function makeRoom(actor: Actor, userNid: number): Promise<Room> {
    const { roomName: name, roomTopic: topic, roomAvatarUrl: url } = config;
    // The server has no keys: it could not write in an encrypted room.
    const unencrypted = { ...rooms, config: { ...rooms.config, encryptedPresets: [] } };
    const roomId = await createRoom(unencrypted, actor, {
      preset: 'private_chat',
      // Users read and are silent.
      power_level_content_override: { users_default: -10 },
      name,
      ...(topic === null ? {} : { topic }),
      initial_state: url === null ? [] : [{ type: 'm.room.avatar', content: { url } }],
    });
    const [made] = await database.query(insertNoticeRoom, [userNid, roomId]);
    const room = made ?? (await database.query(selectNoticeRoom, [userNid]))[0]!;
    await tag(userNid, room.roomNid);
    return room;
  }

  /** Name, picture and topic as they are configured now, and the sender's profile. */
  async function refresh({ roomId }: Room, actor: Actor): Promise<void> {
    const { roomName: name, roomTopic: topic, roomAvatarUrl: url } = config;
    const state = (type: string, content: JsonObject, stateKey = '') => ({
      sender: actor.userId,
      type,
      stateKey,
      content,
    });
    const profile = await rooms.profiles.of(actor.userId);
    await rooms.writer.append({
      roomId,
      events: [
        state('m.room.member', { membership: 'join', ...profile }, actor.userId),
        state('m.room.name', { name }),
        ...(topic === null ? [] : [state('m.room.topic', { topic })]),
        ...(url === null ? [] : [state('m.room.avatar', { url })]),
      ],
      skipUnchangedState: true,
    });
  }

  async function bringIn(room: Room, actor: Actor, user: { userId: string; userNid: number }) {
    const access = await rooms.access.of(room.roomId, user.userNid);
    if (access?.membership === 'join') return;
    if (access?.membership !== 'invite') {
      await membership.invite(rooms, actor, room.roomId, user.userId);
    }
    if (config.joinsByItself) await membership.join(rooms, actorOf(user), room.roomId);
  }

  return {
    async send(userId, notice, transaction) {
      const user = await accounts.moderation.localAccount(userId);
      const actor = await systemUser();
      const append = async (key?: { deviceNid: null; txnId: string; scope: string }) => {
        const [known] = await database.query(selectNoticeRoom, [user.userNid]);
        const room = known ?? (await makeRoom(actor, user.userNid));
        if (known) await refresh(room, actor);
        await bringIn(room, actor, user);
        const { type, stateKey, content } = notice;
        const event = { sender: actor.userId, type, content };
        const [sent] = await rooms.writer.append({
          roomId: room.roomId,
          events: [stateKey === undefined ? event : { ...event, stateKey }],
          ...(key ? { transaction: key } : {}),
        });
        return sent!.eventId;
      };
      if (!transaction) return append();
      const scope = `server_notice ${transaction.requesterNid}`;
      const key = { deviceNid: null, txnId: transaction.txnId, scope };
      return rooms.transactions.once(actor.userNid, key, () => append(key));
    },
    async isNoticeRoom(roomId) {
      return (await database.query(selectIsNoticeRoom, [roomId])).length > 0;
    },
  };
}

/** The error for those who reject the invite to the room of notices. */
export const cannotReject = () =>
  new MatrixError('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', 'You cannot reject this invite');
