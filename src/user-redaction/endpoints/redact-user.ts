import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isUserId } from '../../matrix/ids.ts';
import type { RoomServices } from '../../rooms/module.ts';
import type { Tasks } from '../../tasks/module.ts';
import type { RedactionWish } from '../redact.ts';

export interface RedactUserNeeds {
  tasks: Pick<Tasks, 'schedule' | 'get'>;
  memberships: RoomServices['userFacts']['memberships'];
}

/** Synapse's name for it. */
export const redactAction = 'redact_all_events';

const declare = endpoint<RedactUserNeeds>();
const api = '/_synapse/admin/v1/user';
const shared = {
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  source: 'Synapse admin API, "Redact all the events of a user"',
} as const;

const limitDefault = 1_000;
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

/** Where the user is, or has been banned. */
async function roomsOf({ memberships }: RedactUserNeeds, userId: string): Promise<string[]> {
  const all = await memberships(userId);
  return all
    .filter(({ membership }) => membership === 'join' || membership === 'ban')
    .map(({ roomId }) => roomId);
}

const redactUser = declare({
  ...shared,
  operation: 'adminRedactUser',
  method: 'POST',
  paths: [`${api}/:userId/redact`],
  summary: 'Redacts what a user has sent, in the background',
  body: Type.Object({
    rooms: Type.Array(Type.String()),
    reason: orNull(Type.String()),
    limit: orNull(Type.Integer({ minimum: 1 })),
    use_admin: orNull(Type.Boolean()),
    before_ts: orNull(Type.Integer()),
    after_ts: orNull(Type.Integer()),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_MISSING_PARAM', 'M_BAD_JSON', 'M_UNKNOWN'],
  async handle({ params, body, requester }, needs) {
    const userId = params['userId']!;
    if (!isUserId(userId)) throw new MatrixError('M_INVALID_PARAM', `Invalid user id: ${userId}`);
    const wish: RedactionWish = {
      userId,
      adminId: requester.userId,
      usesAdmin: body.use_admin ?? false,
      rooms: body.rooms.length > 0 ? [...new Set(body.rooms)] : await roomsOf(needs, userId),
      reason: body.reason ?? null,
      beforeTs: body.before_ts ?? null,
      afterTs: body.after_ts ?? null,
      limit: body.limit ?? limitDefault,
    };
    const action = redactAction;
    const redactId = await needs.tasks.schedule({ action, resourceId: userId, params: wish });
    if (redactId === null) {
      throw new MatrixError('M_UNKNOWN', `Redact already in progress for user ${userId}`);
    }
    return { redact_id: redactId };
  },
});

const redactStatus = declare({
  ...shared,
  operation: 'adminRedactUserStatus',
  method: 'GET',
  paths: [`${api}/redact_status/:redactId`],
  summary: 'How far that is, and what could not be redacted',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { tasks }) {
    const task = await tasks.get(params['redactId']!);
    if (task?.action !== redactAction) {
      throw new MatrixError('M_NOT_FOUND', `redact id '${params['redactId']}' not found`);
    }
    const { status, result, error } = task;
    if (status === 'complete') return { status, ...(JSON.parse(result!) as object) };
    return status === 'failed' ? { status, error } : { status };
  },
});

export const redactUserEndpoints = [redactUser, redactStatus];
