import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import { FederationError } from './errors.ts';
import type { FederationClient, FederationRequest } from './federation-client.ts';

/**
 * What a server answers; null: nothing good, for whatever reason. For questions that another server, or
 * nobody, may answer as well.
 */
export async function answerOf(
  federation: Pick<FederationClient, 'request'>,
  destination: string,
  request: FederationRequest,
): Promise<JsonObject | null> {
  try {
    return await federation.request(destination, request);
  } catch (error) {
    if (error instanceof FederationError) return null;
    throw error;
  }
}

/** A member of an answer that should be a list. */
export const listOf = (value: JsonValue | undefined): JsonValue[] =>
  Array.isArray(value) ? value : [];
