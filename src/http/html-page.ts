import { Reply } from './endpoint.ts';

/** A page that belongs into no frame and is kept by nobody. Its address may be a secret. */
export function htmlPage(html: string, status = 200): Reply {
  return new Reply(status, html, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "frame-ancestors 'none'",
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
  });
}
