import { clientPaths, endpoint } from '../../http/endpoint.ts';
import type { Clock } from '../../kernel/clock.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { CallsConfig } from '../config.ts';
import { turnCredentials } from '../turn-credentials.ts';

export interface CallsNeeds {
  clock: Clock;
  config: CallsConfig;
}

const declare = endpoint<CallsNeeds>();
const runsOn = { group: 'client', balance: 'none' } as const;

const getTurnServer = declare({
  operation: 'getTurnServer',
  method: 'GET',
  paths: clientPaths('/voip/turnServer'),
  auth: 'guest',
  runsOn,
  summary: 'What calls can go through, and how to log in there',
  source: 'CS 1.19, getTurnServer',
  errors: ['M_GUEST_ACCESS_FORBIDDEN'],
  handle({ requester }, { clock, config }) {
    if (requester.isGuest && !config.turnAllowsGuests) {
      throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guest access not allowed');
    }
    return turnCredentials(config, requester.userId, clock.now()) ?? {};
  },
});

const getRtcTransports = declare({
  operation: 'getRtcTransports',
  method: 'GET',
  paths: [
    '/_matrix/client/v1/rtc/transports',
    '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
  ],
  auth: 'guest',
  runsOn,
  summary: 'What calls of many can go through',
  source: 'MSC4143',
  handle: (_context, { config }) => ({ rtc_transports: config.rtcTransports }),
});

export const callsEndpoints = [getTurnServer, getRtcTransports];
