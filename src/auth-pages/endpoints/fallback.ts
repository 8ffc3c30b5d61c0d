import { Type } from 'typebox';
import { StageFailed, type UiAuth } from '../../accounts/module.ts';
import { clientPaths, endpoint, type Reply, type RequestInfo } from '../../http/endpoint.ts';
import { readForm } from '../../http/form.ts';
import { htmlPage } from '../../http/html-page.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { Templates } from '../../templates/module.ts';

/** A stage that can be done on a page. */
export interface StagePage {
  template: string;
  /** What the template shows besides `session`, `myurl` and `error`. */
  values: Readonly<Record<string, unknown>>;
  /** Which field of the page's form is which member of `auth`. */
  fields: Readonly<Record<string, string>>;
}

/** The page of a stage that is more than a form. The session waits for the stage. */
export type OwnStagePage = (
  sessionId: string,
  pending: { userId: string; description: string },
  request: RequestInfo,
) => Promise<Reply>;

export interface FallbackNeeds {
  uiAuth: UiAuth;
  templates: Templates;
  /** By stage. */
  pages: ReadonlyMap<string, StagePage>;
  ownPages: ReadonlyMap<string, OwnStagePage>;
}

const declare = endpoint<FallbackNeeds>();
const paths = clientPaths('/auth/:authType/fallback/web');
const params = Type.Object({ authType: Type.String() });
const common = {
  paths,
  auth: 'none',
  runsOn: { group: 'registration_login', balance: 'none' },
  source: 'CS 1.19, "Fallback"',
  params,
  bodyMode: 'none',
  errors: ['M_NOT_FOUND', 'M_UNKNOWN', 'M_MISSING_PARAM'],
} as const;

function pageOf({ pages }: FallbackNeeds, stage: string): StagePage {
  const page = pages.get(stage);
  if (!page) throw new MatrixError('M_NOT_FOUND', `There is no page for the stage ${stage}`);
  return page;
}

async function show(
  needs: FallbackNeeds,
  stage: string,
  session: string,
  error: string | null,
): Promise<Reply> {
  const { template, values } = pageOf(needs, stage);
  const url = paths[0]!.replace(':authType', encodeURIComponent(stage));
  const html = await needs.templates.render(template, {
    ...values,
    session,
    myurl: `${url}?session=${encodeURIComponent(session)}`,
    error,
  });
  return htmlPage(html, error === null ? 200 : 401);
}

const done = async ({ templates }: FallbackNeeds) =>
  htmlPage(await templates.render('auth_success.html', {}));

const showStage = declare({
  ...common,
  operation: 'showAuthFallback',
  method: 'GET',
  summary: 'A stage of interactive authentication as a page, for clients that do not know it',
  query: Type.Object({ session: Type.String() }),
  async handle({ params: { authType }, query: { session }, request }, needs) {
    const own = needs.ownPages.get(authType);
    if (!own) pageOf(needs, authType);
    const pending = await needs.uiAuth.pending(session, authType);
    if (!pending) {
      // Done already, or not known: the client finds out.
      return done(needs);
    }
    return own ? own(session, pending, request) : show(needs, authType, session, null);
  },
});

const submitStage = declare({
  ...common,
  operation: 'submitAuthFallback',
  method: 'POST',
  rateLimit: 'registration',
  summary: 'What that page sends',
  async handle({ params: { authType }, request, raw }, needs) {
    const { fields } = pageOf(needs, authType);
    const form = await readForm(raw.req);
    const session = form.get('session');
    if (session === null) throw new MatrixError('M_MISSING_PARAM', 'Missing session');
    const auth: Record<string, unknown> = { type: authType, session };
    for (const [field, member] of Object.entries(fields)) {
      const value = form.get(field);
      if (value !== null) auth[member] = value;
    }
    try {
      await needs.uiAuth.attemptStage(session, authType, auth, request);
    } catch (error) {
      if (!(error instanceof StageFailed)) throw error;
      return show(needs, authType, session, error.message);
    }
    return done(needs);
  },
});

export const fallbackEndpoints = [showStage, submitStage];
