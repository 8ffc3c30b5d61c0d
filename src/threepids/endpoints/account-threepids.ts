import { Type } from 'typebox';
import { canonicalAddress } from '../../accounts/module.ts';
import { clientPaths, endpoint, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { checkClientSecret } from '../addresses.ts';
import { checkMayChange } from '../rules.ts';
import type { ThreepidServices } from '../services.ts';

const declare = endpoint<ThreepidServices>();
const runsOn = { group: 'client', balance: 'none' } as const;
const onMain = { group: 'main', balance: 'none' } as const;
const medium = Type.Union([Type.Literal('email'), Type.Literal('msisdn')]);

/** Adds to the account what a session has proven. */
async function add(
  { accounts, proven, validation }: ThreepidServices,
  requester: Requester,
  sid: string,
  clientSecret: string,
): Promise<void> {
  checkClientSecret(clientSecret);
  const validated = await proven(sid, clientSecret);
  if (!validated) {
    throw new MatrixError('M_THREEPID_AUTH_FAILED', 'No validated 3pid session found');
  }
  await accounts.threepids.add(requester.userNid, validated);
  await validation.remove(sid);
}

const getAccount3PIDs = declare({
  operation: 'getAccount3PIDs',
  method: 'GET',
  paths: clientPaths('/account/3pid'),
  auth: 'user',
  runsOn,
  summary: 'E-mail addresses and phone numbers of the account',
  source: 'CS 1.19, getAccount3PIDs',
  handle: async ({ requester }, { accounts }) => ({
    threepids: await accounts.threepids.of(requester.userNid),
  }),
});

const creds = Type.Object({ sid: Type.String(), client_secret: Type.String() });

const post3PIDs = declare({
  operation: 'post3PIDs',
  method: 'POST',
  paths: clientPaths('/account/3pid'),
  auth: 'user',
  runsOn,
  deprecated: true,
  summary: 'Adds an address or number that was proven; the older form',
  source: 'CS 1.19, post3PIDs',
  body: Type.Object({
    three_pid_creds: Type.Optional(creds),
    threePidCreds: Type.Optional(creds),
  }),
  errors: ['M_THREEPID_AUTH_FAILED', 'M_THREEPID_IN_USE', 'M_FORBIDDEN'],
  async handle({ body, requester }, services) {
    checkMayChange(services.config);
    const given = body.three_pid_creds ?? body.threePidCreds;
    if (!given) throw new MatrixError('M_MISSING_PARAM', 'Missing param three_pid_creds');
    await add(services, requester, given.sid, given.client_secret);
    return {};
  },
});

const add3PID = declare({
  operation: 'add3PID',
  method: 'POST',
  paths: clientPaths('/account/3pid/add'),
  auth: 'user',
  runsOn: onMain,
  summary: 'Adds an address or number that was proven',
  source: 'CS 1.19, add3PID',
  body: Type.Object({
    sid: Type.String(),
    client_secret: Type.String(),
    auth: Type.Optional(Type.Record(Type.String(), Type.Any())),
  }),
  errors: ['M_THREEPID_AUTH_FAILED', 'M_THREEPID_IN_USE', 'M_FORBIDDEN'],
  async handle({ body, requester, request }, services) {
    checkMayChange(services.config);
    checkClientSecret(body.client_secret);
    const { uiAuth, reauthFlows } = services.accounts;
    return uiAuth.authorise(
      {
        body,
        request,
        requester,
        flows: await reauthFlows(requester.userId),
        description: 'add a third-party identifier to your account',
      },
      async () => {
        await add(services, requester, body.sid, body.client_secret);
        return {};
      },
    );
  },
});

const bind3PID = declare({
  operation: 'bind3PID',
  method: 'POST',
  paths: clientPaths('/account/3pid/bind'),
  auth: 'user',
  runsOn: onMain,
  summary: 'Lets an identity server tell others whose an address or number is',
  source: 'CS 1.19, bind3PID',
  body: Type.Object({
    sid: Type.String(),
    client_secret: Type.String(),
    id_server: Type.String(),
    id_access_token: Type.String(),
  }),
  async handle({ body, requester }, { identityServers }) {
    checkClientSecret(body.client_secret);
    await identityServers.bind(requester, {
      idServer: body.id_server,
      idAccessToken: body.id_access_token,
      sid: body.sid,
      clientSecret: body.client_secret,
    });
    return {};
  },
});

const unbindBody = Type.Object({
  medium,
  address: Type.String(),
  id_server: Type.Optional(Type.String()),
});

const resultOf = (isUnbound: boolean) => ({
  id_server_unbind_result: isUnbound ? 'success' : 'no-support',
});

const unbind3PID = declare({
  operation: 'unbind3pidFromAccount',
  method: 'POST',
  paths: clientPaths('/account/3pid/unbind'),
  auth: 'user',
  runsOn: onMain,
  summary: 'Takes it back that an identity server tells whose an address or number is',
  source: 'CS 1.19, unbind3pidFromAccount',
  body: unbindBody,
  async handle({ body, requester }, { identityServers }) {
    const address = canonicalAddress(body.medium, body.address);
    const threepid = { medium: body.medium, address };
    return resultOf(await identityServers.unbind(requester, threepid, body.id_server ?? null));
  },
});

const delete3PID = declare({
  operation: 'delete3pidFromAccount',
  method: 'POST',
  paths: clientPaths('/account/3pid/delete'),
  auth: 'user',
  runsOn: onMain,
  summary: 'Removes an address or number from the account, and from identity servers',
  source: 'CS 1.19, delete3pidFromAccount',
  body: unbindBody,
  errors: ['M_FORBIDDEN'],
  async handle({ body, requester }, { config, accounts, identityServers }) {
    checkMayChange(config);
    const address = canonicalAddress(body.medium, body.address);
    const threepid = { medium: body.medium, address };
    const isUnbound = await identityServers.unbind(requester, threepid, body.id_server ?? null);
    await accounts.threepids.remove(requester.userNid, body.medium, address);
    return resultOf(isUnbound);
  },
});

export const accountThreepidEndpoints = [
  getAccount3PIDs,
  post3PIDs,
  add3PID,
  bind3PID,
  unbind3PID,
  delete3PID,
];
