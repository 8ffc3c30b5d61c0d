import { defineRole } from '../cluster/role.ts';

/** Sending to other servers. Key: the server's name. The shards are many, for fair shares. */
export const federationSenderRole = defineRole('federation_sender', 64);
