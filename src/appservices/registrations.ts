import { serverNameOf } from '../matrix/ids.ts';

/** A pattern of ids an application service is interested in; `exclusive`: nobody else may use them. */
export interface AppserviceNamespace {
  exclusive: boolean;
  regex: RegExp;
  /** Every id that matches begins with it. */
  prefix: string;
}

/** One registration file. Source: application service spec, "Registration". */
export interface AppserviceRegistration {
  id: string;
  /** Null: nothing is pushed to it. */
  url: string | null;
  /** What the service presents to us. */
  asToken: string;
  /** What we present to the service. */
  hsToken: string;
  /** The full user id of `sender_localpart`. */
  sender: string;
  namespaces: {
    users: AppserviceNamespace[];
    aliases: AppserviceNamespace[];
    rooms: AppserviceNamespace[];
  };
  /** Whether its users are rate-limited; the sender never is. */
  rateLimited: boolean;
  protocols: string[];
  /** Typing, receipts, presence and messages to devices are pushed as well (MSC2409, MSC4203). */
  receivesEphemeral: boolean;
  /** It wants them by the name they had before they were part of the specification. */
  usesUnstableEphemeral: boolean;
  /** One-time key counts and device list changes are pushed as well (MSC3202). */
  receivesDeviceUpdates: boolean;
  /** It makes its devices itself instead of logging in (MSC4190). */
  managesDevices: boolean;
}

/** All registrations, with the look-ups that requests need. They may be replaced at any time. */
export interface AppserviceRegistrations {
  readonly all: readonly AppserviceRegistration[];
  byToken(asToken: string): AppserviceRegistration | undefined;
  byId(id: string): AppserviceRegistration | undefined;
  /** The service that alone may use the user id, if any. */
  exclusiveFor(userId: string): AppserviceRegistration | undefined;
  /** The service that alone may use the room alias, if any. */
  exclusiveForAlias(alias: string): AppserviceRegistration | undefined;
  /** From now on these are registered, and nobody else. Throws when two have the same id or token. */
  replace(all: readonly AppserviceRegistration[]): void;
  /** Called after they have been replaced. Must not throw. */
  onReplaced(handler: () => void): void;
}

/** The user is this server's, and the service's sender or in its user namespaces. */
export function isInterestedInUser(service: AppserviceRegistration, userId: string): boolean {
  if (service.sender === userId) return true;
  if (!matches(service.namespaces.users, userId)) return false;
  return serverNameOf(userId) === serverNameOf(service.sender);
}

/** The id is in the namespaces. */
export function matches(namespaces: readonly AppserviceNamespace[], id: string): boolean {
  return namespaces.some(({ regex }) => regex.test(id));
}

interface LookUps {
  all: readonly AppserviceRegistration[];
  byToken: ReadonlyMap<string, AppserviceRegistration>;
  byId: ReadonlyMap<string, AppserviceRegistration>;
}

function lookUpsOf(all: readonly AppserviceRegistration[]): LookUps {
  const byToken = new Map(all.map((service) => [service.asToken, service]));
  const byId = new Map(all.map((service) => [service.id, service]));
  if (byToken.size < all.length) throw new Error('two application services have the same as_token');
  if (byId.size < all.length) throw new Error('two application services have the same id');
  return { all, byToken, byId };
}

export function appserviceRegistrations(
  first: readonly AppserviceRegistration[],
): AppserviceRegistrations {
  let now = lookUpsOf(first);
  const handlers: (() => void)[] = [];
  const exclusive = (id: string, kind: 'users' | 'aliases') =>
    now.all.find((s) => s.namespaces[kind].some((n) => n.exclusive && n.regex.test(id)));
  return {
    get all() {
      return now.all;
    },
    byToken: (token) => now.byToken.get(token),
    byId: (id) => now.byId.get(id),
    exclusiveFor: (userId) =>
      now.all.find((service) => service.sender === userId) ?? exclusive(userId, 'users'),
    exclusiveForAlias: (alias) => exclusive(alias, 'aliases'),
    replace(all) {
      now = lookUpsOf(all);
      for (const handler of handlers) handler();
    },
    onReplaced: (handler) => void handlers.push(handler),
  };
}
