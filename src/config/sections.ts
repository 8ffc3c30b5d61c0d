import { callsSection } from './calls.ts';
import { accountValiditySection } from './account-validity.ts';
import { communitiesSection } from './communities.ts';
import { databaseSection } from './database.ts';
import { emailSection } from './email.ts';
import { experimentalSection } from './experimental.ts';
import { federationSection } from './federation.ts';
import { listenersSection } from './listeners.ts';
import { loggingSection } from './logging.ts';
import { noticesSection } from './notices.ts';
import { mediaSection } from './media.ts';
import type { Section } from './option.ts';
import { appservicesSection, blockingSection } from './other-sections.ts';
import { outboundSection } from './outbound.ts';
import { previewsSection } from './previews.ts';
import { presenceSection } from './presence.ts';
import { pushSection } from './push.ts';
import { rateLimitsSection } from './rate-limits.ts';
import { registrationSection } from './registration.ts';
import { roomsSection } from './rooms.ts';
import { routingSection } from './routing.ts';
import { serverKeysSection } from './server-keys.ts';
import { serverSection } from './server.ts';
import { signInSection } from './sign-in.ts';
import { singleSignOnSection } from './single-sign-on.ts';
import { threepidsSection } from './threepids.ts';
import { searchSection } from './search.ts';
import { userDirectorySection } from './user-directory.ts';
import { workersSection } from './workers.ts';

/** Sections of which nothing has an effect yet. */
export const inertSections: readonly Section[] = [blockingSection];

/** Every section, as the reference orders them. */
export const sections: readonly Section[] = [
  serverSection,
  listenersSection,
  databaseSection,
  registrationSection,
  accountValiditySection,
  signInSection,
  singleSignOnSection,
  threepidsSection,
  emailSection,
  roomsSection,
  presenceSection,
  userDirectorySection,
  searchSection,
  callsSection,
  noticesSection,
  communitiesSection,
  mediaSection,
  pushSection,
  previewsSection,
  outboundSection,
  federationSection,
  serverKeysSection,
  appservicesSection,
  rateLimitsSection,
  loggingSection,
  workersSection,
  routingSection,
  experimentalSection,
  ...inertSections,
];
