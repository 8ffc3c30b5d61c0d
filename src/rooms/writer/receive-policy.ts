import { Deadline } from '../../kernel/deadline.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { inGroups } from '../../kernel/in-groups.ts';
import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { isPolicyState, isSignedByPolicyServer } from '../../matrix/policy-server.ts';
import { refusal } from '../../matrix/received-pdu.ts';
import type { RoomHead } from './head.ts';
import { besideMax, requestMsMax, type PolicyServers } from './policy-servers.ts';

/** A received event, with what the room's policy server says of it. */
export interface CheckedEvent {
  /** With the signature that was asked for. */
  event: BuiltEvent;
  /** Why it is not recommended; null: it is, or nobody has to be asked. */
  unrecommended: string | null;
}

/** Check 7 on receipt of a PDU (server-server spec, "Validating Policy Server signatures"). */
export class ReceivedPolicy {
  readonly #policies: PolicyServers;
  /** What was said of events, and under which `m.room.policy`. */
  readonly #answers = new Map<string, CheckedEvent & { policyId: string }>();
  readonly #deadline = new Deadline(requestMsMax);

  constructor(policies: PolicyServers) {
    this.#policies = policies;
  }

  /** What is known of an event in the room as it is; null: `ask` is to be called first. */
  checked(head: RoomHead, event: BuiltEvent): CheckedEvent | null {
    const policy = this.#policies.current(head);
    if (policy === undefined) return null;
    const recommended = { event, unrecommended: null };
    if (policy === null || isPolicyState(event.pdu)) return recommended;
    const answer = this.#answers.get(event.eventId);
    if (answer?.policyId === policy.eventId) return answer;
    if (isSignedByPolicyServer(head.version, event.pdu, policy)) return recommended;
    // The room does not let it in anyway.
    return refusal(head.version, event.pdu, head) === null ? null : recommended;
  }

  /** Asks about those of the events of which nothing is known, many at the same time. */
  async ask(head: RoomHead, events: readonly BuiltEvent[]): Promise<void> {
    let policy = this.#policies.current(head);
    while (policy === undefined) {
      // oxlint-disable-next-line no-await-in-loop
      await this.#policies.find(head);
      policy = this.#policies.current(head);
    }
    if (policy === null) return;
    const { eventId: policyId } = policy;
    const unknown = events.filter((event) => this.checked(head, event) === null);
    await inGroups(unknown, besideMax, async (event) => {
      const checked = await this.#signed(head, event, policy);
      this.#answers.set(event.eventId, { ...checked, policyId });
    });
  }

  async #signed(
    head: RoomHead,
    event: BuiltEvent,
    policy: Parameters<PolicyServers['sign']>[2],
  ): Promise<CheckedEvent> {
    try {
      const signed = await this.#policies.sign(head.version, event, policy, this.#deadline);
      return { event: signed, unrecommended: null };
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
      return { event, unrecommended: `not recommended by its policy server: ${error.message}` };
    }
  }
}
