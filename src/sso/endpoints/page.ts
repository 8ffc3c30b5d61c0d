import type { Reply } from '../../http/endpoint.ts';
import { htmlPage } from '../../http/html-page.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Templates } from '../../templates/module.ts';
import { SsoError } from '../sso-error.ts';

/** What failed as people see it; null: a fault of ours. */
function told(error: unknown): { name: string; text: string; status: number } | null {
  if (error instanceof SsoError) {
    return { name: error.error, text: error.message, status: error.status };
  }
  if (error instanceof MatrixError) {
    return { name: error.code, text: error.message, status: error.status };
  }
  return null;
}

/** What a browser is answered: an error becomes a page. */
export async function pageOr(
  { templates, log }: { templates: Templates; log: Log },
  work: () => Promise<Reply>,
): Promise<Reply> {
  try {
    return await work();
  } catch (error) {
    const failure = told(error);
    if (!failure) throw error;
    const level = failure.status >= 500 ? 'warn' : 'info';
    log[level]({ err: error, error: failure.name }, 'single sign-on did not succeed');
    const html = await templates.render('sso_error.html', {
      error: failure.name,
      error_description: failure.text,
    });
    return htmlPage(html, failure.status);
  }
}
