import type { ExperimentalFeatures } from '../config/experimental.ts';

/** Proposals that the configuration switches on or off, by the names that clients know. */
export const switchedFeatures = (experimental: ExperimentalFeatures): Record<string, boolean> => ({
  'org.matrix.msc3881': experimental.pusherSwitches,
  'org.matrix.msc4155': experimental.inviteFilters,
  'org.matrix.msc4354': experimental.stickyEvents,
  'org.matrix.msc4306': experimental.threadSubscriptions,
});
