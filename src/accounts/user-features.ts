/**
 * Proposals that admins may switch on for single users, by Synapse's names. Pusher switches (MSC3881)
 * are the only ones that not everybody has anyway.
 */
export const userFeatures = ['msc3881', 'msc3575', 'msc4222'] as const;
