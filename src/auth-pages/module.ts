import type { AccountServices } from '../accounts/module.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Templates } from '../templates/module.ts';
import { captchaStage, type CaptchaConfig, type PostForm } from './captcha-stage.ts';
import { fallbackEndpoints, type OwnStagePage, type StagePage } from './endpoints/fallback.ts';
import { loginPage } from './endpoints/login-page.ts';
import { termsStage, type Terms } from './terms-stage.ts';

export type { CaptchaConfig, PostForm } from './captcha-stage.ts';
export type { OwnStagePage } from './endpoints/fallback.ts';
export type { Terms } from './terms-stage.ts';

export interface AuthPagesNeeds {
  /** Null: there is no captcha. */
  captcha: CaptchaConfig | null;
  /** Null: nobody accepts terms to register. */
  terms: Terms | null;
  postForm: PostForm;
  templates: Templates;
  /** Pages of stages that other domains have added, by stage. */
  ownPages: ReadonlyMap<string, OwnStagePage>;
  accounts: Pick<AccountServices, 'uiAuth'>;
}

/** Stages of registration that are pages, and pages for clients that do not know a stage. */
export function createAuthPages(needs: AuthPagesNeeds): { endpoints: Endpoint[] } {
  const { captcha, terms, templates } = needs;
  const { uiAuth } = needs.accounts;
  const pages = new Map<string, StagePage>([
    [
      'm.login.registration_token',
      { template: 'registration_token.html', values: {}, fields: { token: 'token' } },
    ],
    ['m.login.dummy', { template: 'dummy.html', values: {}, fields: {} }],
  ]);
  if (captcha) {
    uiAuth.addStage('m.login.recaptcha', captchaStage(captcha, needs.postForm));
    pages.set('m.login.recaptcha', {
      template: 'recaptcha.html',
      values: { sitekey: captcha.publicKey },
      fields: { 'g-recaptcha-response': 'response' },
    });
  }
  if (terms) {
    uiAuth.addStage('m.login.terms', termsStage(terms));
    pages.set('m.login.terms', {
      template: 'terms.html',
      values: { terms_url: terms.url },
      fields: {},
    });
  }
  return {
    endpoints: [
      ...bindEndpoints(fallbackEndpoints, {
        uiAuth,
        templates,
        pages,
        ownPages: needs.ownPages,
      }),
      ...bindEndpoints([loginPage], { templates }),
    ],
  };
}
