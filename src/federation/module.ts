export { createServerAuthenticator, type AuthenticateServerNeeds } from './authenticate-server.ts';
export { aboutEndpoints } from './endpoints/about.ts';
