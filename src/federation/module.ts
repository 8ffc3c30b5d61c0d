export { createServerAuthenticator, type AuthenticateServerNeeds } from './authenticate-server.ts';
