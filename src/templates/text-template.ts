import type { Template } from 'nunjucks';

/** A template that stands in the configuration, such as `{{ user.name }}`. */
export interface TextTemplate {
  /** Rejects when the template has errors. */
  check(): Promise<void>;
  /** Without white space at its ends; nothing is escaped. Rejects when the template has errors. */
  render(values: Readonly<Record<string, unknown>>): Promise<string>;
}

/**
 * Compiles a template in the language of Jinja, with Synapse's filter `localpart_from_email`. Values
 * that are not there are empty. It begins at once, and what is wrong comes with each rendering.
 */
export function textTemplate(source: string): TextTemplate {
  const compiled = compile(source);
  compiled.catch(() => undefined);
  return {
    async check() {
      await compiled;
    },
    async render(values) {
      return (await compiled).render(values).trim();
    },
  };
}

async function compile(source: string): Promise<Template> {
  const { default: nunjucks } = await import('nunjucks');
  const environment = new nunjucks.Environment(null, { autoescape: false });
  environment.addFilter('localpart_from_email', (address: unknown) =>
    typeof address === 'string' ? address.replace(/@[^@]*$/, '') : '',
  );
  return new nunjucks.Template(source, environment, undefined, true);
}
