import { join } from 'node:path';
import type { Environment } from 'nunjucks';
import { formatTs } from './format-ts.ts';
import { mxcToHttp } from './mxc-to-http.ts';

export { textTemplate, type TextTemplate } from './text-template.ts';

/** Renders pages and the texts of mails. */
export interface Templates {
  /**
   * `name`: a file such as `registration.html`. In `.html` files values are escaped. Rejects when
   * the file does not exist or has errors.
   */
  render(name: string, values: Readonly<Record<string, unknown>>): Promise<string>;
}

const builtIn = join(import.meta.dirname, 'files');

/**
 * Templates in the language of Jinja, as Synapse has them, so that an admin's own can be kept.
 * `ownFolder`: files in it go before the built-in ones; null: none.
 */
export function createTemplates(ownFolder: string | null): Templates {
  let environments: Promise<{ pages: Environment; texts: Environment }> | null = null;

  async function load() {
    // Few servers ever need it, and not at the start.
    const { default: nunjucks } = await import('nunjucks');
    const loader = new nunjucks.FileSystemLoader(
      ownFolder === null ? [builtIn] : [ownFolder, builtIn],
    );
    const environment = (autoescape: boolean) =>
      new nunjucks.Environment(loader, { autoescape })
        .addFilter('format_ts', formatTs)
        .addFilter('mxc_to_http', mxcToHttp);
    return { pages: environment(true), texts: environment(false) };
  }

  return {
    async render(name, values) {
      environments ??= load();
      const { pages, texts } = await environments;
      const environment = name.endsWith('.html') ? pages : texts;
      return new Promise((resolve, reject) => {
        environment.render(name, values, (error, text) => {
          if (error || text === null) reject(error ?? new Error(`${name} gave nothing`));
          else resolve(text);
        });
      });
    },
  };
}
