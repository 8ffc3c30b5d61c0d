import { Type } from 'typebox';
import { endpoint, Reply } from '../../http/endpoint.ts';
import { putUser, type UserWish } from '../put-user.ts';
import type { AccountServices } from '../services.ts';
import { userOrders } from '../store/user-administration.ts';

const declare = endpoint<AccountServices>();
const api = '/_synapse/admin';
const source = 'Synapse admin API, "User Admin API"';
const shared = { auth: 'admin', runsOn: { group: 'admin', balance: 'none' }, source } as const;

const limitDefault = 100;
const limitMax = 1_000;
const flag = Type.Optional(Type.Boolean());
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

const listQuery = Type.Object({
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  user_id: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  guests: flag,
  deactivated: flag,
  admins: flag,
  locked: flag,
  order_by: Type.Optional(Type.Union(userOrders.map((order) => Type.Literal(order)))),
  dir: Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')])),
  not_user_type: Type.Optional(Type.Array(Type.String())),
});

/** The versions differ in what `deactivated` says: v2 leaves such users out unless it is true. */
const listUsers = (['v2', 'v3'] as const).map((version) =>
  declare({
    ...shared,
    operation: version === 'v2' ? 'adminListUsers' : 'adminListUsersV3',
    method: 'GET',
    paths: [`${api}/${version}/users`],
    summary: 'A page of the users of this server',
    query: listQuery,
    errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
    async handle({ query }, { userAdministration }) {
      const offset = query.from ?? 0;
      const limit = Math.min(query.limit ?? limitDefault, limitMax);
      const deactivated = query.deactivated ?? null;
      const { users, total } = await userAdministration.list({
        userId: query.user_id || null,
        name: query.name || null,
        guests: query.guests === false ? false : null,
        deactivated: version === 'v3' ? deactivated : deactivated ? null : false,
        admins: query.admins ?? null,
        locked: query.locked ? null : false,
        notTypes: query.not_user_type ?? [],
        order: query.order_by ?? 'name',
        direction: query.dir === 'b' ? 'desc' : 'asc',
        offset,
        limit,
      });
      const end = offset + users.length;
      const hasMore = end < total && users.length > 0;
      return { users, total, ...(hasMore ? { next_token: String(end) } : {}) };
    },
  }),
);

const getUser = declare({
  ...shared,
  operation: 'adminGetUser',
  method: 'GET',
  paths: [`${api}/v2/users/:userId`],
  summary: 'What is known of a user of this server',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { moderation, userAdministration }) {
    return userAdministration.describe(await moderation.anyAccount(params['userId']!));
  },
});

const userBody = Type.Object({
  password: orNull(Type.String({ maxLength: 512 })),
  logout_devices: flag,
  displayname: orNull(Type.String()),
  avatar_url: orNull(Type.String()),
  threepids: orNull(
    Type.Array(Type.Object({ medium: Type.String(), address: Type.String({ maxLength: 320 }) }), {
      maxItems: 100,
    }),
  ),
  external_ids: orNull(
    // Longer ones fit into no index.
    Type.Array(
      Type.Object({
        auth_provider: Type.String({ maxLength: 200 }),
        external_id: Type.String({ maxLength: 400 }),
      }),
      { maxItems: 100 },
    ),
  ),
  admin: flag,
  deactivated: flag,
  locked: flag,
  user_type: orNull(Type.String()),
});

const setUser = declare({
  ...shared,
  operation: 'adminPutUser',
  method: 'PUT',
  paths: [`${api}/v2/users/:userId`],
  summary: 'Makes a user of this server, or changes one',
  body: userBody,
  errors: [
    'M_FORBIDDEN',
    'M_INVALID_PARAM',
    'M_INVALID_USERNAME',
    'M_EXCLUSIVE',
    'M_THREEPID_IN_USE',
    'M_UNKNOWN',
  ],
  async handle({ params, body, requester }, services) {
    const userId = params['userId']!;
    services.moderation.checkIsLocal(userId);
    const wish: UserWish = {
      password: body.password ?? undefined,
      logoutDevices: body.logout_devices ?? true,
      displayName: body.displayname,
      avatarUrl: body.avatar_url,
      threepids: body.threepids ?? undefined,
      externalIds: body.external_ids?.map((one) => ({
        authProvider: one.auth_provider,
        externalId: one.external_id,
      })),
      isAdmin: body.admin,
      isDeactivated: body.deactivated,
      isLocked: body.locked,
      userType: body.user_type,
    };
    const { account, isNew } = await putUser(services, requester, userId, wish);
    return new Reply(isNew ? 201 : 200, await services.userAdministration.describe(account));
  },
});

export const adminUserEndpoints = [...listUsers, getUser, setUser];
