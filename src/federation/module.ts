export { createServerAuthenticator, type AuthenticateServerNeeds } from './authenticate-server.ts';
export { getFederationWhitelist } from './endpoints/allowed-servers.ts';
export { aboutEndpoints } from './endpoints/about.ts';
