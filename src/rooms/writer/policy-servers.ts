import { createBackOff } from '../../federation-client/back-off.ts';
import { FederationError } from '../../federation-client/errors.ts';
import type { FederationClient } from '../../federation-client/federation-client.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Deadline } from '../../kernel/deadline.ts';
import { MatrixError, type ErrorCode } from '../../kernel/errors.ts';
import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import {
  isSignedByPolicyServer,
  policyIn,
  policySignatureIn,
  withPolicySignature,
  type RoomPolicy,
} from '../../matrix/policy-server.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import type { HeadStore } from '../store/load-head.ts';
import { faultOfEvent } from './compose.ts';
import type { RoomHead } from './head.ts';
import type { HeadCache } from './head-cache.ts';

/** The policy server that a room uses. */
export interface PolicyInForce extends RoomPolicy {
  /** The `m.room.policy` event that says so. */
  eventId: string;
}

/** The policy servers of rooms (server-server spec, "Policy Servers"). */
export interface PolicyServers {
  /** The one that the room uses; null: none; undefined: `find` is to be called first. */
  current(head: RoomHead): PolicyInForce | null | undefined;
  /** Finds out whether the policy server has a user in the room. The head must be pinned. */
  find(head: RoomHead): Promise<void>;
  /**
   * Asks the policy server for its signature; gives the event with it. Throws the `MatrixError` that
   * the sender of the event is to be told: the server's own, word for word, or M_FORBIDDEN where it
   * does not sign, M_UNKNOWN (502, 504) where it does not answer, M_TOO_LARGE, M_BAD_JSON. It is not
   * asked when it may take longer than the deadline of the request that the event belongs to.
   */
  sign(
    version: RoomVersion,
    event: BuiltEvent,
    policy: RoomPolicy,
    deadline: Deadline,
  ): Promise<BuiltEvent>;
}

export interface PolicyServersNeeds {
  federation: Pick<FederationClient, 'request'>;
  heads: HeadCache;
  headStore: HeadStore;
  clock: Clock;
}

/** Short: people wait for it, and calls between processes end after 30 s. */
export const answerMsMax = 5_000;
/** All that one request does in a room with a policy server ends by then, for the same reason. */
export const requestMsMax = 20_000;
const answerBytesMax = 64 * 1024;
/** Events of one request that it is asked about side by side. */
export const besideMax = 32;
/** Short as well: while it is left alone nobody can say anything in its rooms. */
const backOffOptions = { minMs: 1_000, factor: 2, maxMs: 10_000 };
const signUri = '/_matrix/policy/v1/sign';

/** Errors about a client's own session or account, which are not for others to declare over. */
const ofSessions = new Set([
  'M_UNKNOWN_TOKEN',
  'M_MISSING_TOKEN',
  'M_UNAUTHORIZED',
  'M_USER_LOCKED',
  'M_USER_SUSPENDED',
  'M_USER_DEACTIVATED',
  'M_CONSENT_NOT_GIVEN',
  'M_RESOURCE_LIMIT_EXCEEDED',
  'ORG_MATRIX_EXPIRED_ACCOUNT',
]);

const unauthorised = 401;

/** The policy server's own error, word for word; null: it is none that a client may be told. */
function ownError({ answer }: FederationError): MatrixError | null {
  if (!answer?.body || answer.status < 400 || answer.status === unauthorised) return null;
  const { errcode, error, ...extra } = answer.body;
  if (typeof errcode !== 'string' || ofSessions.has(errcode)) return null;
  const message = typeof error === 'string' ? error : 'The policy server refused the event';
  // It may be a code that this server does not know.
  return new MatrixError(errcode as ErrorCode, message, { status: answer.status, extra });
}

/** What the sender of an event is told when there is no time to ask the policy server. */
export function policyTooSlow(): MatrixError {
  const message = 'The policy server of the room takes too long';
  return new MatrixError('M_UNKNOWN', message, { status: 504 });
}

/** What the sender of an event is told when there is no signature for it. */
function refusalOf(error: unknown): unknown {
  // Others' events may be as deep as can be, and are deeper in a request.
  if (!(error instanceof FederationError)) return faultOfEvent(error);
  const own = ownError(error);
  if (own) return own;
  if (error.reason === 'denied' || error.reason === 'blocked') {
    const message = 'This server may not contact the policy server of the room';
    return new MatrixError('M_FORBIDDEN', message, { cause: error });
  }
  const status = error.reason === 'timeout' ? 504 : 502;
  const message = 'The policy server of the room gives no answer';
  return new MatrixError('M_UNKNOWN', message, { status, cause: error });
}

export function createPolicyServers(needs: PolicyServersNeeds): PolicyServers {
  const { federation, heads, headStore } = needs;
  const backOff = createBackOff(backOffOptions, needs.clock);

  const namedIn = (head: RoomHead): PolicyInForce | null => {
    const entry = head.get('m.room.policy', '');
    const policy = entry ? policyIn(entry.pdu.content) : null;
    return policy && { ...policy, eventId: entry!.eventId };
  };

  /** Those of the members that are in memory who are of the server. */
  function membersHere(head: RoomHead, server: string) {
    const here = [...head.ofType('m.room.member').keys()];
    const own = here.filter((userId) => serverNameOf(userId) === server);
    const joined = own.find((userId) => head.membershipOf(userId) === 'join') ?? null;
    return { own, joined };
  }

  return {
    current(head) {
      const policy = namedIn(head);
      if (!policy) return null;
      // Of a room that is being made all members are here.
      if (!head.isStored) head.policyMember = membersHere(head, policy.via).joined;
      const { policyMember: member } = head;
      if (member === null) return null;
      const isJoined =
        member !== undefined &&
        serverNameOf(member) === policy.via &&
        head.membershipOf(member) === 'join';
      return isJoined ? policy : undefined;
    },

    async find(head) {
      const policy = namedIn(head);
      if (!policy) return;
      const { own, joined } = membersHere(head, policy.via);
      if (joined !== null) {
        head.policyMember = joined;
        return;
      }
      const { extremities } = head;
      const found = await headStore.joinedOf(head.roomNid, policy.via, own);
      if (found !== null) {
        await heads.loadMembers(head, [found]);
        head.policyMember = found;
      } else if (head.extremities === extremities) head.policyMember = null;
    },

    async sign(version, event, policy, deadline) {
      if (deadline.leftMs < answerMsMax) throw policyTooSlow();
      try {
        const answer = await federation.request(policy.via, {
          method: 'POST',
          uri: signUri,
          content: event.pdu as unknown as JsonObject,
          timeoutMs: answerMsMax,
          bytesMax: answerBytesMax,
          backOff,
        });
        const signature = policySignatureIn(answer, policy);
        if (signature === null) {
          throw new MatrixError('M_FORBIDDEN', 'The policy server of the room refused the event');
        }
        const signed = withPolicySignature(version, event, policy, signature);
        if (isSignedByPolicyServer(version, signed.pdu, policy)) return signed;
        const message = 'The signature of the policy server is not by the key that the room names';
        throw new MatrixError('M_FORBIDDEN', message);
      } catch (error) {
        throw refusalOf(error);
      }
    },
  };
}
