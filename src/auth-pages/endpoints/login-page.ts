import { endpoint } from '../../http/endpoint.ts';
import { htmlPage } from '../../http/html-page.ts';
import type { Templates } from '../../templates/module.ts';

export const loginPage = endpoint<{ templates: Templates }>()({
  operation: 'loginFallback',
  method: 'GET',
  paths: ['/_matrix/static/client/login/', '/_matrix/static/client/login/index.html'],
  auth: 'none',
  runsOn: { group: 'registration_login', balance: 'none' },
  summary: 'A page that logs in, for clients that do not know how',
  source: 'CS 1.19, "Login Fallback"',
  handle: async (_context, { templates }) => htmlPage(await templates.render('login.html', {})),
});
