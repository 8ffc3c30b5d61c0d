import { defineRole } from '../cluster/role.ts';

/** Work for the whole server that one process does at a time, and that bears to be done twice. */
export const backgroundRole = defineRole('background', 1);

/** The key of its only shard. */
export const everything = '';
