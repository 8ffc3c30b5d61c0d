import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { checkedSettings, switchNames } from '../pusher-settings.ts';
import type { Pushers } from '../pushers.ts';
import type { PusherRow } from '../store/pushers.ts';

export interface PusherEndpointNeeds {
  pushers: Pushers;
  /** A user of this server; throws M_INVALID_PARAM or M_NOT_FOUND. */
  account(userId: string): Promise<{ userNid: number }>;
  /** Whether a user's pushers can be switched off (MSC3881). */
  hasSwitches(userNid: number): Promise<boolean> | boolean;
}

const declare = endpoint<PusherEndpointNeeds>();
const runsOn = { group: 'main', balance: 'user' } as const;

const shown = (row: PusherRow) => ({
  app_display_name: row.appDisplayName,
  app_id: row.appId,
  data: JSON.parse(row.data) as unknown,
  device_display_name: row.deviceDisplayName,
  kind: row.kind,
  lang: row.lang,
  profile_tag: row.profileTag ?? '',
  pushkey: row.pushkey,
});

const getPushers = declare({
  operation: 'getPushers',
  method: 'GET',
  paths: clientPaths('/pushers'),
  auth: 'user',
  runsOn,
  summary: 'How the user is told of events',
  source: 'CS 1.19, getPushers; MSC3881',
  answers: { 200: Type.Object({ pushers: Type.Array(Type.Any()) }) },
  async handle({ requester }, { pushers, hasSwitches }) {
    const [rows, isSwitched] = await Promise.all([
      pushers.of(requester.userNid),
      hasSwitches(requester.userNid),
    ]);
    return {
      pushers: rows.map((row) => ({
        ...shown(row),
        ...(isSwitched
          ? { [switchNames.enabled]: row.isEnabled, [switchNames.deviceId]: row.deviceId }
          : {}),
      })),
    };
  },
});

const setPusher = declare({
  operation: 'postPusher',
  method: 'POST',
  paths: clientPaths('/pushers/set'),
  auth: 'user',
  runsOn,
  summary: 'Sets or removes a way in which the user is told of events',
  source: 'CS 1.19, postPusher; MSC3881',
  body: Type.Record(Type.String(), Type.Any()),
  answers: { 200: Type.Object({}) },
  errors: ['M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_THREEPID_NOT_FOUND'],
  async handle({ body, requester }, { pushers, hasSwitches }) {
    const { app_id: appId, pushkey, kind } = body;
    if (kind === null && typeof appId === 'string' && typeof pushkey === 'string') {
      await pushers.remove(requester.userNid, appId, pushkey);
      return {};
    }
    const settings = checkedSettings(body, await hasSwitches(requester.userNid));
    if (settings.kind === 'email') {
      const pushkeyOf = await pushers.mailAddress(requester.userNid, settings.pushkey);
      if (pushkeyOf === null) {
        throw new MatrixError('M_THREEPID_NOT_FOUND', 'the pushkey is no address of this account', {
          status: 400,
        });
      }
      settings.pushkey = pushkeyOf;
    }
    await pushers.set(requester, settings, body['append'] === true);
    return {};
  },
});

const getPushersOfUser = declare({
  operation: 'getPushersOfUser',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/:userId/pushers'],
  auth: 'admin',
  runsOn: { group: 'main', balance: 'none' },
  summary: 'How a user is told of events',
  source: 'Synapse admin API, "List all pushers"',
  params: Type.Object({ userId: Type.String() }),
  answers: { 200: Type.Object({ pushers: Type.Array(Type.Any()), total: Type.Integer() }) },
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { pushers, account }) {
    const { userNid } = await account(params.userId);
    const rows = await pushers.of(userNid);
    return { pushers: rows.map(shown), total: rows.length };
  },
});

export const pusherEndpoints = [getPushers, setPusher, getPushersOfUser];
