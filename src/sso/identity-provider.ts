import type { AttributeRequirement } from './attributes.ts';

/** What a new user is made of. */
export interface UserAttributes {
  /** Null: the user chooses one. */
  localpart: string | null;
  /** The user may change the localpart. */
  confirmsLocalpart: boolean;
  displayName: string | null;
  emails: readonly string[];
  /** A URL. */
  picture: string | null;
}

/** Somebody whom an identity provider has authenticated. */
export interface RemoteUser {
  /** Never changes, and nobody else has it there. */
  externalId: string;
  /** Values by name, for requirements. */
  claims: Readonly<Record<string, readonly unknown[]>>;
  attributes: UserAttributes;
  /** The session there, if it has a name. */
  sessionId: string | null;
  /** What the client is told besides; null: nothing. */
  extra: Readonly<Record<string, string>> | null;
}

/** Where a browser is sent, and what is to be known when it comes back. */
export interface Departure {
  url: string;
  kept: Readonly<Record<string, string>>;
}

/** What all kinds of identity providers have. */
export interface IdentityProvider {
  /** As stored with users, and in `/login/sso/redirect/{idpId}`. */
  id: string;
  name: string;
  icon: string | null;
  brand: string | null;
  requirements: readonly AttributeRequirement[];
  /** Who is not known gets an account. */
  registersUsers: boolean;
  /** Who gets the localpart of an existing user is that user. */
  adoptsExistingUsers: boolean;
  /**
   * `state` comes back with the browser. `query`: of the request by which the browser begins.
   * Rejects with SsoError.
   */
  depart(state: string, query: Readonly<Record<string, string | undefined>>): Promise<Departure>;
}
