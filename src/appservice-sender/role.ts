import { defineRole } from '../cluster/role.ts';

/** What others ask of whoever sends to a service. */
export type AppserviceSenderMethods = {
  /** The service answers: what waits is sent without a further pause. */
  retry(args: { id: string }): void;
};

/** Sending to application services. Key: the service's id. */
export const appserviceRole = defineRole<AppserviceSenderMethods>('appservice', 32);
